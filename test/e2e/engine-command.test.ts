import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { requires } from '../requirements.ts'
import { EnginePlace, tool } from './engine-place.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'engine-command-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))
const at = (name: string): string => join(directory, name)

function engine(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(tool, ['engine', ...args], {
    encoding: 'utf8',
    env: { ...process.env, HOME: directory },
  })
  return { status, stdout, stderr }
}

test.each(['docker', 'containerd', 'podman', 'crio'])('%s: it is printed, written, and removed', (name) => {
  const file = at(`etc/${name}/file`)
  const { status, stdout, stderr } = engine(name, '--file', file)
  expect({ status, isThere: existsSync(file) }).toEqual({ status: 0, isThere: false })
  expect(stdout).toContain('bundle-tool')
  expect(stderr).toContain(`for ${file}`)
  expect(engine(name, '--file', file, '--write', '--runtime', '/opt/x')).toMatchObject({ status: 0, stdout: '' })
  expect(readFileSync(file, 'utf8')).toContain('"/opt/x"')
  expect(engine(name, '--file', file, '--write', '--runtime', '/opt/x').stderr).toBe(`${file}: nothing to do\n`)
  const removed = engine(name, '--file', file, '--remove', '--json')
  expect(JSON.parse(removed.stdout)).toMatchObject({ engine: name, file, done: 'removed', text: '' })
  expect(readdirSync(at(`etc/${name}`))).toEqual([])
  expect(engine(name, '--file', file, '--remove')).toEqual({
    status: 0,
    stdout: '',
    stderr: `${file}: nothing to do\n`,
  })
})

test("docker's file is removed again when it became the default later", () => {
  const file = at('daemon.json')
  for (const flags of [[], ['--default']]) {
    expect(engine('docker', '--file', file, '--write', ...flags).status).toBe(0)
  }
  expect(engine('docker', '--file', file, '--remove').status).toBe(0)
  expect(existsSync(file)).toBe(false)
})

test('a file keeps its owner and mode, and a link leads to the same file', () => {
  const [file, link] = [at('real.json'), at('daemon.json')]
  writeFileSync(file, '{"debug": true}\n')
  chmodSync(file, 0o640)
  symlinkSync('real.json', link)
  expect(engine('docker', '--file', link, '--write').status).toBe(0)
  expect(lstatSync(link).isSymbolicLink()).toBe(true)
  expect(statSync(file).mode & 0o777).toBe(0o640)
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ debug: true, runtimes: { 'bundle-tool': {} } })
  expect(readdirSync(directory).sort()).toEqual(['daemon.json', 'real.json'])
})

test('what cannot be changed is left as it is, with what to do', () => {
  const file = at('daemon.json')
  writeFileSync(file, '{')
  expect(engine('docker', '--file', file, '--write')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('is not JSON'),
  })
  expect(readFileSync(file, 'utf8')).toBe('{')
  expect(engine('rkt')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('use one of docker, containerd, podman, crio'),
  })
  expect(engine('docker', '--write', '--remove')).toMatchObject({ status: 2 })
  mkdirSync(at('directory'))
  expect(engine('docker', '--file', at('directory'), '--write')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('EISDIR'),
  })
})

describe('with the file of the package', () => {
  const { test: withContainerd } = requires('containerd')
  withContainerd('containerd has the runtime and all it had', () => {
    const file = at('config.toml')
    const dump = () => spawnSync('containerd', ['--config', file, 'config', 'dump'], { encoding: 'utf8' }).stdout
    for (const given of [
      readFileSync('/etc/containerd/config.toml', 'utf8'),
      spawnSync('containerd', ['config', 'default'], { encoding: 'utf8' }).stdout,
    ]) {
      writeFileSync(file, given)
      const before = dump()
      expect(engine('containerd', '--file', file, '--write', '--default', '--runtime', '/opt/x').status).toBe(0)
      const after = dump()
      expect(after).toContain('default_runtime_name = "bundle-tool"')
      expect(after).toContain('BinaryName = "/opt/x"')
      const lost = before.split('\n').filter((line) => !after.includes(line) && !line.includes('default_runtime_name'))
      // runc is written out, with none of the settings that it does not have.
      expect(after).toContain('.containerd.runtimes.runc]')
      expect(lost.filter((line) => !/runtimes\.runc\.options\]$| = (""|0|false)$/.test(line))).toEqual([])
      expect(engine('containerd', '--file', file, '--remove').status).toBe(0)
      expect(readFileSync(file, 'utf8')).toBe(given)
    }
  })

  const { test: withDocker } = requires('root', 'dockerd', 'docker')
  withDocker(
    'dockerd takes the runtime as the default without a restart, and starts without it again',
    async () => {
      const place = new EnginePlace('engine-dockerd', (path) => ({ DOCKER_HOST: `unix://${path}/sock` }))
      const file = place.at('daemon.json')
      try {
        writeFileSync(file, '{"storage-driver": "vfs", "bridge": "none", "iptables": false}')
        const own = ['--data-root', place.at('data'), '--exec-root', place.at('exec'), '--pidfile', place.at('pid')]
        const daemon = ['dockerd', '--config-file', file, '-H', `unix://${place.at('sock')}`, ...own]
        await place.start(daemon, ['docker', 'version'])
        const info = (field: string) => place.call(['docker', 'info', '--format', `{{json .${field}}}`]).stdout.trim()
        const reload = async (done: () => void) => {
          process.kill(Number(readFileSync(place.at('pid'), 'utf8')), 'SIGHUP')
          await vi.waitFor(done, { timeout: 10_000 })
        }
        expect(info('Runtimes')).not.toContain('bundle-tool')
        expect(engine('docker', '--file', file, '--write', '--default').status).toBe(0)
        await reload(() => expect(info('DefaultRuntime')).toBe('"bundle-tool"'))
        expect(JSON.parse(info('Runtimes'))['bundle-tool'].path).toMatch(/\/bundle-tool$/)
        expect(engine('docker', '--file', file, '--remove').stderr).toContain('then: systemctl restart docker')
        await place.stop()
        await place.start(daemon, ['docker', 'version'])
        expect(info('DefaultRuntime')).toBe('"runc"')
        expect(info('Runtimes')).not.toContain('bundle-tool')
      } finally {
        await place.close()
      }
    },
    90_000,
  )

  const { test: withPodman } = requires('root', 'podman', 'unshare')
  withPodman('podman knows the runtime by its name, from a file of its own beside that of the package', () => {
    const script = `mount -t tmpfs none /etc/containers/containers.conf.d 2>/dev/null || {
        mkdir -p "$1/containers" && cp -a /etc/containers/. "$1/containers" && mount --bind "$1/containers" /etc/containers; }
      "$2" engine podman --write --default && podman --root "$1/root" --runroot "$1/run" --tmpdir "$1/tmp" info --format '{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}'
      "$2" engine podman --remove && ls /etc/containers/containers.conf.d`
    const { stdout, stderr, status } = spawnSync(
      'unshare',
      ['-m', '--propagation', 'private', 'sh', '-c', script, 'sh', directory, tool],
      { encoding: 'utf8' },
    )
    expect({ status, stdout }, stderr).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^bundle-tool \/.*\/bundle-tool\n$/),
    })
  })
})
