import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ConvertOptions, convertImageConfig } from '../../src/bundle/convert.ts'
import { defaultConfig } from '../../src/bundle/default-config.ts'
import { formatRuntimeConfig } from '../../src/bundle/write-config.ts'
import type { ExecutionConfig, ImageConfig } from '../../src/oci/image-config.ts'
import { parseRuntimeConfig } from '../../src/oci/runtime-config.ts'
import { runtimeConfigProblems } from '../../src/oci/runtime-config-rules.ts'

let rootfs = ''
beforeEach(() => {
  rootfs = mkdtempSync(join(tmpdir(), 'convert-'))
  mkdirSync(join(rootfs, 'etc'))
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nwww:x:33:44::/var/www:\n')
  writeFileSync(join(rootfs, 'etc/group'), 'www:x:44:\nlog:x:4:www\n')
})
afterEach(() => rmSync(rootfs, { recursive: true }))

const image = (config: ExecutionConfig, rest: Partial<ImageConfig> = {}): ImageConfig => ({
  os: 'linux',
  architecture: 'amd64',
  rootfs: { type: 'layers', diff_ids: [] },
  config,
  ...rest,
})

const convert = (config: ExecutionConfig, options: ConvertOptions = {}) =>
  convertImageConfig(image(config), rootfs, { rootless: false, ...options })

const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

test.each<[string, ExecutionConfig, readonly string[]]>([
  ['neither', {}, ['sh']],
  ['empty lists', { Entrypoint: [], Cmd: [] }, ['sh']],
  ['Cmd', { Cmd: ['a', 'b'] }, ['a', 'b']],
  ['Entrypoint', { Entrypoint: ['a'] }, ['a']],
  ['both', { Entrypoint: ['a', 'b'], Cmd: ['c'] }, ['a', 'b', 'c']],
])('args of an image with %s', async (_name, config, args) => {
  expect((await convert(config)).process.args).toEqual(args)
})

test.each<[ExecutionConfig, ConvertOptions, readonly string[]]>([
  [{}, {}, [path, 'HOME=/root', 'TERM=xterm']],
  [{}, { terminal: false }, [path, 'HOME=/root']],
  [{ User: '77' }, { terminal: false }, [path]],
  [{ Env: ['PATH=/x', 'HOME=', 'TERM=vt100', 'A=b=c'] }, {}, ['PATH=/x', 'HOME=', 'TERM=vt100', 'A=b=c']],
  [{ Env: ['PATHS=/x'], User: 'www' }, {}, ['PATHS=/x', path, 'HOME=/var/www', 'TERM=xterm']],
])('the environment of %j with %j', async (config, options, env) => {
  expect((await convert(config, options)).process.env).toEqual(env)
})

test.each<[string, Partial<ImageConfig>]>([
  ['/config/Env/1', { config: { Env: ['A=b', 'B=\0'] } }],
  ['/config/WorkingDir', { config: { WorkingDir: '/a\0b' } }],
  ['/config/Cmd/0', { config: { Cmd: ['\0'] } }],
  ['/config/Entrypoint/0', { config: { Entrypoint: ['a\0'] } }],
  ['/config/User', { config: { User: '0\0' } }],
  ['/config/Labels/a\0', { config: { Labels: { 'a\0': '' } } }],
  ['/config/Labels/a', { config: { Labels: { a: 'x\0y' } } }],
  ['/config/Volumes/~1v\0', { config: { Volumes: { '/v\0': {} } } }],
  ['/config/ExposedPorts/80\0', { config: { ExposedPorts: { '80\0': {} } } }],
  ['/config/StopSignal', { config: { StopSignal: '\0' } }],
  ['/author', { author: 'a\0' }],
  ['/os.features/0', { 'os.features': ['\0'] }],
  ['/config/Env/0', { config: { Env: ['A=\ud83d'] } }],
])('a NUL character or half of one in %j is refused with its place', async (pointer, change) => {
  await expect(convertImageConfig(image({}, change), rootfs, { rootless: false })).rejects.toMatchObject({
    code: 'ERR_MANIFEST_INVALID',
    pointer,
    message: expect.stringContaining(`${pointer}: must`),
  })
})

test('all problems of an image config are reported at once', async () => {
  await expect(convert({ Env: ['A=\0'], Cmd: ['\ude00'] })).rejects.toThrow(
    'the image config is invalid: /config/Env/0: must not contain a NUL character, not "A=\\u0000"; ' +
      '/config/Cmd/0: must be text, not "\\ude00"',
  )
})

test('an entry of the environment without a name is left out, as by Docker, and so is a damaged line of passwd', async () => {
  const ignored: string[] = []
  const options: ConvertOptions = { terminal: false, onIgnoredVariable: (entry) => ignored.push(entry) }
  const { process } = await convert({ Env: ['A=b', 'PATH', '=x', ''] }, options)
  expect(process.env).toEqual(['A=b', path, 'HOME=/root'])
  expect(ignored).toEqual(['PATH', '=x', ''])
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0:root:/ro\0ot:/bin/sh\n')
  expect((await convert({}, options)).process.env).toEqual([path])
})

test.each([
  [undefined, '/'],
  ['', '/'],
  ['/srv/app/', '/srv/app/'],
  ['srv', '/srv'],
])('WorkingDir %j is cwd %s', async (WorkingDir, cwd) => {
  expect((await convert({ WorkingDir })).process.cwd).toBe(cwd)
})

test('the user is looked up in the rootfs; a rootless container has no supplementary groups', async () => {
  expect((await convert({ User: 'www' })).process.user).toEqual({ uid: 33, gid: 44, additionalGids: [4] })
  expect((await convert({ User: 'www:www' })).process.user).toEqual({ uid: 33, gid: 44 })
  expect((await convert({ User: 'www' }, { rootless: true })).process.user).toEqual({ uid: 33, gid: 44 })
  await expect(convert({ User: 'nobody' })).rejects.toMatchObject({ code: 'ERR_USER_UNKNOWN', pointer: '/config/User' })
})

test('no user gets ambient or inheritable capabilities', async () => {
  expect(Object.keys((await convert({})).process.capabilities ?? {})).toEqual(['bounding', 'effective', 'permitted'])
})

test('fields of the image become annotations, and its labels override them', async () => {
  const config = { StopSignal: 'SIGINT', ExposedPorts: { '80/tcp': {}, '443': {} }, Labels: { a: 'b' } }
  const rest = {
    variant: 'v2',
    author: 'me',
    created: '2020-01-01T00:00:00Z',
    'os.version': '1',
    'os.features': ['x', 'y'],
  }
  const { annotations } = await convertImageConfig(image(config, rest), rootfs)
  expect(annotations).toEqual({
    'org.opencontainers.image.os': 'linux',
    'org.opencontainers.image.architecture': 'amd64',
    'org.opencontainers.image.variant': 'v2',
    'org.opencontainers.image.os.version': '1',
    'org.opencontainers.image.os.features': 'x,y',
    'org.opencontainers.image.author': 'me',
    'org.opencontainers.image.created': '2020-01-01T00:00:00Z',
    'org.opencontainers.image.stopSignal': 'SIGINT',
    'org.opencontainers.image.exposedPorts': '443,80/tcp',
    a: 'b',
  })
  const labelled = await convert({ StopSignal: 'SIGINT', Labels: { 'org.opencontainers.image.stopSignal': 'SIGHUP' } })
  expect(labelled.annotations?.['org.opencontainers.image.stopSignal']).toBe('SIGHUP')
})

test('labels that runtimes act on are left out and reported', async () => {
  const reserved: string[] = []
  const { annotations } = await convert(
    {
      Labels: {
        'run.oci.hooks.stdout': '/etc/passwd',
        'org.systemd.property.ExecStopPost': 'x',
        'org.criu.config': '/x',
        'org.example.run.oci.fine': 'y',
        __proto__x: 'z',
      },
    },
    { onReservedLabel: (name) => reserved.push(name) },
  )
  expect(reserved.sort()).toEqual(['org.criu.config', 'org.systemd.property.ExecStopPost', 'run.oci.hooks.stdout'])
  expect(Object.keys(annotations ?? {}).filter((name) => !name.startsWith('org.opencontainers.'))).toEqual([
    'org.example.run.oci.fine',
    '__proto__x',
  ])
})

describe('volumes', () => {
  test('become tmpfs mounts after the default ones, each once', async () => {
    const { mounts = [] } = await convert({
      Volumes: { '/var/lib/data/': {}, '/a': {}, b: {}, '/var/lib/../lib/data': {} },
    })
    const added = mounts.filter(({ source }) => source === 'none')
    expect(added.map(({ destination, type }) => `${type} ${destination}`)).toEqual([
      'tmpfs /a',
      'tmpfs /b',
      'tmpfs /var/lib/data',
    ])
    expect(mounts.slice(-3)).toEqual(added)
  })

  test.each(['/', '', '/..', '/proc', '/proc/sys/', 'proc', '/sys/fs', '/a/../dev', '//dev'])(
    '%j is refused',
    async (text) => {
      await expect(convert({ Volumes: { [text]: {} } })).rejects.toMatchObject({ code: 'ERR_MANIFEST_INVALID' })
    },
  )

  test.each(['/process', '/system', '/devices', '/srv/proc'])('%j may be one', async (text) => {
    expect((await convert({ Volumes: { [text]: {} } })).mounts?.at(-1)?.destination).toBe(text)
  })
})

test('other fields are those of the default config, except for a writable root', async () => {
  const config = await convert({})
  const base = defaultConfig({ rootless: false, cgroupNamespace: false, uid: 0, gid: 0 })
  expect(config.root).toEqual({ path: 'rootfs' })
  expect(config.linux?.maskedPaths).toEqual(base.linux?.maskedPaths)
  expect(config.process.rlimits).toBeUndefined()
  expect(config.process.terminal).toBe(true)
})

test.each([true, false])('the result is a valid config.json (rootless %s)', async (rootless) => {
  const config = await convert({ User: 'www', Volumes: { '/a': {} }, Labels: { a: '' } }, { rootless })
  expect(parseRuntimeConfig(formatRuntimeConfig(config))).toEqual(config)
  expect(runtimeConfigProblems(config)).toEqual([])
})
