import { parse } from 'smol-toml'
import { describe, expect, test } from 'vitest'
import { containerd } from '../../src/engine/containerd.ts'

const runtime = { path: '/opt/a "b"/bundle-tool', isDefault: false }
const asDefault = { ...runtime, isDefault: true }
const add = (given: typeof runtime, text: string) => containerd.add(given, text, [])
const refused = expect.objectContaining({ code: 'ERR_ENGINE_CONFIG' })

interface Plugin {
  readonly containerd?: {
    readonly default_runtime_name?: string
    readonly runtimes: Readonly<Record<string, { readonly options: object }>>
  }
}
const pluginIn = (text: string, name = 'io.containerd.grpc.v1.cri'): Plugin =>
  (parse(text) as unknown as { plugins: Record<string, Plugin> }).plugins[name] ?? {}

/** That of Debian's package. */
const debian = `version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"
      conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.internal.v1.opt"]
    path = "/var/lib/containerd/opt"
`
/** As Kubernetes' guides have it, with all that a default file writes out. */
const kubernetes = `# for nodes
version = 2
imports = ["/etc/containerd/conf.d/*.toml"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.9"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    # the default
    default_runtime_name = "runc" # of course
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      pod_annotations = ["a", "b"]
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = true
        BinaryName = "/usr/bin/runc"
`
const version3 = `version = 3
[plugins.'io.containerd.cri.v1.runtime'.containerd]
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
SystemdCgroup = true`

describe.each(Object.entries({ debian, kubernetes, version3 }))('the file %s', (name, before) => {
  const plugin = name === 'version3' ? 'io.containerd.cri.v1.runtime' : 'io.containerd.grpc.v1.cri'
  test.each([runtime, asDefault])('has the runtime, with the settings of runc, and all else as it was: %o', (given) => {
    const text = add(given, before)
    const { default_runtime_name, runtimes } = pluginIn(text, plugin).containerd ?? {}
    expect(default_runtime_name).toBe(given.isDefault ? 'bundle-tool' : name === 'kubernetes' ? 'runc' : undefined)
    expect(runtimes?.['bundle-tool']).toEqual({
      runtime_type: 'io.containerd.runc.v2',
      ...(name === 'kubernetes' && { pod_annotations: ['a', 'b'] }),
      options: { BinaryName: runtime.path, ...(name !== 'debian' && { SystemdCgroup: true }) },
    })
    expect(runtimes?.runc).toMatchObject(name === 'version3' ? {} : { runtime_type: 'io.containerd.runc.v2' })
    for (const line of before.split('\n')) expect(text).toContain(line)
    expect(containerd.remove(text)).toBe(before.endsWith('\n') ? before : `${before}\n`)
  })
  test('has the entry once, the last one', () => {
    const twice = add({ ...runtime, path: '/new' }, add(asDefault, before))
    expect(twice).toBe(add({ ...runtime, path: '/new' }, before.endsWith('\n') ? before : `${before}\n`))
    expect(add({ ...runtime, path: '/new' }, twice)).toBe(twice)
  })
})

test('a new file is of version 2, and is gone with the entry', () => {
  for (const given of [runtime, asDefault]) {
    const text = add(given, '')
    expect(parse(text).version).toBe(2)
    expect(pluginIn(text).containerd?.runtimes['bundle-tool']).toBeDefined()
    expect(containerd.remove(text)).toBeUndefined()
  }
  expect(parse(containerd.snippet(asDefault, '', [])).plugins).toEqual(parse(add(asDefault, '')).plugins)
})

test.each([
  ['no TOML', 'a ='],
  ['version 1', 'root = "/x"'],
  ['an unknown version', 'version = 9'],
  ['one that was written by hand', `${debian}[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.bundle-tool]\n`],
  [
    'tables that nothing can be added to',
    'version = 2\n[plugins]\n"io.containerd.grpc.v1.cri" = { containerd = {} }\n',
  ],
  [
    'a text that looks like a table',
    `version = 2\nx = """\n[plugins."io.containerd.grpc.v1.cri".containerd]\n"""\n[plugins."io.containerd.grpc.v1.cri".containerd]\n`,
  ],
])('a file with %s is refused', (_, text) => {
  expect(() => add(asDefault, text)).toThrow(refused)
})
