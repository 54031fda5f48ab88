import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { type ConfigChange, ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')
const front = join(import.meta.dirname, '../../bin/bundle-tool')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const name = (length: number): string => 'x'.repeat(length)
/** A path of names that are short enough, each by itself. */
const path = `/${Array.from({ length: 50 }, () => name(99)).join('/')}`

function call(...args: readonly string[]) {
  const root = args.includes('--root') ? [] : ['--root', place.root]
  const { status, stderr } = spawnSync(front, [...root, ...args], {
    encoding: 'utf8',
    cwd: place.directory,
    timeout: 30_000,
    env: { ...process.env, HOME: place.directory },
  })
  return { status, stderr }
}

const mount = (entry: object): ConfigChange => ({
  config: { mounts: [{ destination: '/x', type: 'tmpfs', source: 'none', ...entry }] },
})
const linux = (fields: object): ConfigChange => ({ linux: fields })
const namespaces = (['pid', 'ipc', 'uts', 'mount'] as const).map((type) => ({ type }))

describe('a field that is longer than the kernel takes is named, and nothing is left', () => {
  test.each<[string, ConfigChange]>([
    ['/root/path', { config: { root: { path: name(5000) } } }],
    ['/root/path', { config: { root: { path } } }],
    ['/root/path', { config: { root: { path: name(300) } } }],
    ['/process/cwd', { process: { cwd: path } }],
    ['/process/cwd', { process: { cwd: `/${name(300)}` } }],
    ['/process/args', { process: { args: [name(5000)] } }],
    ['/process/args', { process: { args: [path] } }],
    ['/hostname', { config: { hostname: name(65) } }],
    ['/domainname', { config: { domainname: name(65) } }],
    ['/mounts/0', mount({ destination: path })],
    ['/mounts/0', mount({ destination: `/${name(300)}` })],
    ['/mounts/0', mount({ type: name(5000) })],
    ['/mounts/0', mount({ source: name(5000) })],
    ['/mounts/0', mount({ options: [`mode=${name(5000)}`] })],
    ['/mounts/0', mount({ options: Array.from({ length: 600 }, () => 'size=10m') })],
    ['/mounts/0', mount({ options: ['tmpcopyup', `mode=${name(5000)}`], destination: '/bin' })],
    ['/mounts/0/source', mount({ type: 'bind', options: ['bind'], source: path })],
    ['/mounts/0/source', mount({ type: 'bind', options: ['bind'], source: `/${name(300)}` })],
    ['/linux/cgroupsPath', linux({ cgroupsPath: path })],
    ['/linux/maskedPaths/0', linux({ maskedPaths: [path] })],
    ['/linux/readonlyPaths/0', linux({ readonlyPaths: [path] })],
    ['/linux/devices/0', linux({ devices: [{ path: `/dev/${name(300)}`, type: 'c', major: 1, minor: 3 }] })],
    ['/linux/devices/0', linux({ devices: [{ path, type: 'c', major: 1, minor: 3 }] })],
    [`/linux/sysctl/net.${name(5000)}`, linux({ sysctl: { [`net.${name(5000)}`]: '1' } })],
    ['/linux/namespaces/4/path', linux({ namespaces: [...namespaces, { type: 'network', path }] })],
    [
      '/linux/seccomp/listenerPath',
      linux({
        seccomp: {
          defaultAction: 'SCMP_ACT_ALLOW',
          listenerPath: `/${name(120)}`,
          syscalls: [{ names: ['getcwd'], action: 'SCMP_ACT_NOTIFY' }],
        },
      }),
    ],
    ['/hooks/createRuntime/0', { config: { hooks: { createRuntime: [{ path }] } } }],
    ['/process/rlimits/0/type', { process: { rlimits: [{ type: name(5000), soft: 1, hard: 1 }] } }],
  ])('%s', (pointer, change) => {
    place.configure('true', change)
    for (const command of ['run', 'create']) {
      const { status, stderr } = call(command, '-b', place.bundle, place.id)
      expect(status).toBe(1)
      expect(stderr).toMatch(/^time="[^"]*" level=error msg=.*\n$/)
      expect(stderr).toContain(pointer)
      expect(stderr).not.toMatch(/internal error|system call \d/)
      expect(place.leftovers()).toEqual([])
    }
  })
})

describe('a word that is too long is named, and nothing is left', () => {
  test.each([
    [['run', '-b', 'BUNDLE', 'NAME'], 'invalid container ID format'],
    [['run', '-b', 'PATH', 'ID'], 'JSON specification file'],
    [['explain', 'PATH'], 'JSON specification file'],
    [['run', '-b', 'BUNDLE', '--pid-file', 'PATH', 'ID'], '--pid-file'],
    [['run', '-b', 'BUNDLE', '--pidfd-socket', '/SOCKET', 'ID'], '--pidfd-socket'],
    [['--root', 'PATH', 'run', '-b', 'BUNDLE', 'ID'], 'for the state of containers: ENAMETOOLONG'],
    [['--root', 'PATH', 'list'], 'unable to list'],
    [['--root', 'PATH', 'state', 'ID'], 'container does not exist'],
    [['--root', 'PATH', 'delete', 'ID'], 'container does not exist'],
    [['--log', 'PATH', 'list'], 'cannot write to the log'],
    [['update', '-r', 'PATH', 'ID'], 'the resources'],
    [['exec', '-p', 'PATH', 'ID'], 'does not exist'],
    [['spec', '-b', 'PATH'], 'is not a directory'],
    [['restore', '-b', 'BUNDLE', '--image-path', 'PATH', 'ID'], 'does not exist'],
    [['unpack', 'PATH', '-o', 'out'], 'cannot read'],
    [['unpack', 'BUNDLE/rootfs', '-o', 'PATH'], 'PATH'],
    [['images', '--store', 'PATH'], 'cannot use the store'],
    [['inspect', 'oci:PATH'], 'not an OCI image layout'],
    [['copy', 'oci:PATH', 'oci:PATH'], 'PATH'],
    [['logout', '--authfile', 'PATH'], 'no credentials were kept'],
  ])('%j: %s', (args, words) => {
    place.configure('true')
    const long: Readonly<Record<string, string>> = {
      BUNDLE: place.bundle,
      PATH: path,
      NAME: name(256),
      SOCKET: name(120),
      ID: place.id,
    }
    const filled = (word: string) => word.replace(/[A-Z]{2,}/, (key) => long[key] ?? key)
    const { status, stderr } = call(...args.map(filled))
    expect(status).toBe(args.includes('logout') ? 0 : args.includes('exec') ? 255 : 1)
    expect(stderr).toContain(words === 'PATH' ? path : words)
    expect(stderr).not.toMatch(/internal error|system call \d|name too long, /)
    expect(place.leftovers()).toEqual([])
  })
})
