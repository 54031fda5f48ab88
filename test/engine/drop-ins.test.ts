import { parse } from 'smol-toml'
import { describe, expect, test } from 'vitest'
import { crio } from '../../src/engine/crio.ts'
import { podman } from '../../src/engine/podman.ts'

const runtime = { path: '/opt/bundle-tool', isDefault: false }
const asDefault = { ...runtime, isDefault: true }
const refused = expect.objectContaining({ code: 'ERR_ENGINE_CONFIG' })

describe.each(Object.entries({ podman, crio }))('the file for %s', (_, engine) => {
  test('is all ours: it is replaced and removed, and one of others is not', () => {
    const text = engine.add(runtime, '', [])
    expect(engine.add(asDefault, text, [])).not.toBe(text)
    expect(engine.add(runtime, text, [])).toBe(text)
    expect(engine.remove(text)).toBeUndefined()
    expect(() => engine.add(runtime, '[engine]\n', [])).toThrow(refused)
    expect(() => engine.remove('[engine]\n')).toThrow(refused)
    expect(() => engine.add(runtime, '', ['x = '])).toThrow(refused)
  })
})

test('podman: a list that replaces its own has what others have put there', () => {
  const read = ['[engine]\nruntime_supports_json = ["mine", "runc"]\n', '[containers]\n']
  const { engine } = parse(podman.add(asDefault, '', read)) as {
    engine: Record<string, unknown> & { runtime_supports_json: string[] }
  }
  expect(engine).toMatchObject({ runtime: 'bundle-tool', runtimes: { 'bundle-tool': ['/opt/bundle-tool'] } })
  expect(engine.runtime_supports_json).toEqual(expect.arrayContaining(['bundle-tool', 'crun', 'runc', 'mine']))
  expect(new Set(engine.runtime_supports_json).size).toBe(engine.runtime_supports_json.length)
  expect(parse(podman.add(runtime, '', []))).not.toHaveProperty('engine.runtime')
})

test('crio: conmon is in the cgroup of the pod where there is no systemd', () => {
  const manager = (name: string): string => `[crio.runtime]\ncgroup_manager = "${name}"\n`
  const added = (...read: string[]) => parse(crio.add(asDefault, '', read)).crio
  const own = { runtime_path: '/opt/bundle-tool', runtime_type: 'oci', runtime_root: '/run/bundle-tool' }
  expect(added()).toEqual({ runtime: { default_runtime: 'bundle-tool', runtimes: { 'bundle-tool': own } } })
  expect(added(manager('systemd'), manager('cgroupfs'))).toMatchObject({
    runtime: { runtimes: { 'bundle-tool': { ...own, monitor_cgroup: 'pod' } } },
  })
  expect(added(manager('cgroupfs'), manager('systemd'))).toMatchObject({
    runtime: { runtimes: { 'bundle-tool': own } },
  })
})
