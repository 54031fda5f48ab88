import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test as plainTest } from 'vitest'
import { requires } from '../requirements.ts'
import { EnginePlace, image } from './engine-place.ts'

const project = join(import.meta.dirname, '../..')
const script = join(project, 'docs/kubernetes/node.sh')
const { test } = requires('root', 'unshare')

let place: EnginePlace
beforeEach(() => {
  place = new EnginePlace('kubernetes')
  // The programs in the image of the DaemonSet: here with those that Node.js needs.
  mkdirSync(place.at('from'))
  for (const name of ['bundle-tool', 'bundle-tool-runner', 'bundle-tool-interpreter', 'bin']) {
    const source = join(project, 'dist', name)
    if (existsSync(source)) cpSync(source, join(place.at('from'), name), { recursive: true })
  }
  for (const name of ['etc/containerd', 'run', 'tmp', 'opt']) mkdirSync(place.at(`host/${name}`), { recursive: true })
  cpSync(join(project, 'package.json'), place.at('host/opt/package.json')) // where Node.js finds the version
})
afterEach(() => place.close())

/** Calls the script in a mount namespace in which the node's root has the programs of this machine. */
function onNode(action: string, env: Readonly<Record<string, string>> = {}) {
  const enter = `for name in usr bin sbin lib lib64 proc dev; do
      [ -e /$name ] || continue; mkdir -p "$HOST/$name" && mount --rbind /$name "$HOST/$name" || exit 9; done
    mkdir -p "$HOST$NODE" && mount --bind "$NODE" "$HOST$NODE" && exec sh "$0" "$1"`
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['-m', '--propagation', 'private', 'sh', '-c', enter, script, action],
    {
      encoding: 'utf8',
      env: {
        PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
        NODE: dirname(process.execPath),
        HOST: place.at('host'),
        FROM: place.at('from'),
        RESTART: 'echo restarted >> /restarts',
        ...env,
      },
      timeout: 60_000,
    },
  )
  return { status, stdout, stderr }
}
const restarts = (): number =>
  existsSync(place.at('host/restarts')) ? readFileSync(place.at('host/restarts'), 'utf8').split('\n').length - 1 : 0
const installed = (name: string): string => place.at(`host/opt/bundle-tool/${name}`)

const given =
  'version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]\n  SystemdCgroup = true\n'

describe('on a made-up root of a node', () => {
  const config = (): string => place.at('host/etc/containerd/config.toml')
  beforeEach(() => writeFileSync(config(), given))

  test('it copies the files, writes the entry, and restarts the engine once', () => {
    expect(onNode('install')).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringContaining('containerd restarted'),
    })
    expect(statSync(installed('bundle-tool')).mode & 0o777).toBe(0o755)
    expect(readFileSync(config(), 'utf8')).toMatch(
      /SystemdCgroup = true\nBinaryName = "\/opt\/bundle-tool\/bundle-tool"\n/,
    )
    const { ino } = statSync(installed('bundle-tool'))
    expect(onNode('install')).toMatchObject({ status: 0, stdout: expect.stringContaining('nothing to do') })
    expect([restarts(), statSync(installed('bundle-tool')).ino]).toEqual([1, ino])
  })

  test('a new version replaces the files, and needs no restart', () => {
    expect(onNode('install').status).toBe(0)
    const { ino } = statSync(installed('bundle-tool'))
    writeFileSync(
      join(place.at('from'), 'bundle-tool'),
      Buffer.concat([readFileSync(join(project, 'dist/bundle-tool')), Buffer.from('\0')]),
    )
    expect(onNode('install').status).toBe(0)
    expect(restarts()).toBe(1)
    expect(statSync(installed('bundle-tool')).ino).not.toBe(ino)
    expect(readdirSync(dirname(installed('x'))).filter((name) => name.endsWith('.new'))).toEqual([])
  })

  test('it takes all back, but the files only when no container is left that needs them', () => {
    expect(onNode('uninstall')).toMatchObject({ status: 0, stdout: expect.stringContaining('not installed') })
    expect(onNode('install').status).toBe(0)
    const record = place.at('host/run/containerd/runc/k8s.io/demo')
    mkdirSync(record, { recursive: true })
    writeFileSync(join(record, '.front'), '')
    expect(onNode('uninstall')).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('1 containers of this runtime are left'),
    })
    expect(readFileSync(config(), 'utf8')).toBe(given)
    expect(existsSync(installed('bundle-tool'))).toBe(true)
    rmSync(record, { recursive: true })
    expect(onNode('uninstall')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('/opt/bundle-tool removed'),
    })
    expect([restarts(), existsSync(place.at('host/opt/bundle-tool'))]).toEqual([2, false])
  })

  test('CRI-O gets a file of its own', () => {
    mkdirSync(place.at('host/etc/crio'))
    expect(onNode('install').status).toBe(0)
    const file = place.at('host/etc/crio/crio.conf.d/50-bundle-tool.conf')
    expect(readFileSync(file, 'utf8')).toContain('runtime_path = "/opt/bundle-tool/bundle-tool"')
    expect(readFileSync(config(), 'utf8')).toBe(given)
    expect(onNode('uninstall').status).toBe(0)
    expect(existsSync(file)).toBe(false)
  })

  test('a configuration that cannot be changed is left, and the engine is not restarted', () => {
    writeFileSync(config(), 'version = 1\n')
    expect(onNode('install')).toMatchObject({ status: 1, stdout: expect.stringContaining('which is not known here') })
    expect([readFileSync(config(), 'utf8'), restarts()]).toEqual(['version = 1\n', 0])
    expect(onNode('reinstall').status).toBe(2)
  })
})

const { test: withContainerd } = requires('root', 'unshare', 'containerd', 'ctr', 'skopeo')

withContainerd(
  'the containerd of Debian reads the entry, and runs a container with the installed files',
  async () => {
    const [config, address] = [place.at('host/etc/containerd/config.toml'), place.at('sock')]
    const own = `root = "${place.at('root')}"\nstate = "${place.at('state')}"\n[grpc]\naddress = "${address}"\n`
    writeFileSync(
      config,
      `${readFileSync('/etc/containerd/config.toml', 'utf8').replace('version = 2\n', `version = 2\n${own}`)}`,
    )
    expect(onNode('install').status).toBe(0)
    await place.start(['containerd', '--config', config], ['ctr', '-a', address, 'version'])
    const ctr = (...args: readonly string[]) => place.call(['ctr', '-a', address, ...args])
    expect(place.call(['containerd', '--config', config, 'config', 'dump']).stdout).toMatch(
      /runtimes\.bundle-tool\.options\]\n +BinaryName = "\/opt/,
    )
    expect(ctr('plugins', 'ls').stdout).toMatch(/ cri +\S+ +(ok|error)/)
    expect(
      place.call(['skopeo', 'copy', '-q', `oci-archive:${image}`, `oci-archive:${place.at('image')}:x`]).status,
    ).toBe(0)
    expect(
      ctr('images', 'import', '--index-name', 'busybox', '--snapshotter', 'native', place.at('image')).stderr,
    ).toBe('')
    const run = ['run', '--rm', '--snapshotter', 'native', '--runc-binary', installed('bundle-tool'), 'busybox', 'demo']
    expect(ctr(...run, 'echo', 'ran')).toEqual({ status: 0, stdout: 'ran\n', stderr: '' })
  },
  60_000,
)

plainTest('the manifests name what the page and the engine do', () => {
  const manifest = (name: string): string => readFileSync(join(project, `docs/kubernetes/${name}.yaml`), 'utf8')
  expect(manifest('runtimeclass')).toContain('handler: bundle-tool\n')
  expect(manifest('daemonset')).toContain('command: [/opt/node.sh, stay]')
  expect(manifest('uninstall')).toContain('command: [/opt/node.sh, uninstall]')
  expect(spawnSync('sh', ['-n', script]).status).toBe(0)
})
