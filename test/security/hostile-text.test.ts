import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { commands } from '../../src/cli/commands.ts'
import { ContainerPlace } from '../container.ts'
import { startRegistry } from '../registry/fake-registry.ts'
import { requires } from '../requirements.ts'
import { dockerFiles, layoutFiles, makeImage, makeLayer, makeTar, writeFiles } from '../source/build-image.ts'

const { test } = requires('root', 'busybox')

/** Clears the screen, colours it, writes from right to left, breaks lines, hides. */
const hostile = '\u001b[2J\u009b31m\u202egpj\u2066\u2028\u0085\u200b\u007f\ufeff'
/** Anything but what is shown as it is, and the ends of lines. */
const steers = /(?![ \n])[\p{C}\p{Z}]/u
let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())
const at = (name: string): string => join(place.directory, name)

const bin = join(import.meta.dirname, '../../bin')
/** The command line as people call it, and as engines do. */
const tools = [
  [process.execPath, join(bin, 'bundle-tool.js')],
  [join(bin, 'bundle-tool'), '--log', 'LOG', '--log-format', 'json', '--debug'],
]

/** The commands that have been called: every command is to be among them. */
const called = new Set<string>()

/** Runs the built command line to its end, and has looked at all that it has shown. */
async function show(...args: readonly string[]): Promise<string> {
  called.add(args.find((word) => commands.some(({ name }) => name === word)) ?? '')
  const files = ['OUT', 'ERR', 'LOG'].map(at)
  let shown = ''
  for (const [command = '', ...words] of tools) {
    const [out, err] = files.map((file) => openSync(file, 'w'))
    const child = spawn(command, [...words, '--root', place.root, ...args], {
      cwd: place.directory,
      env: { ...process.env, HOME: place.directory, CONTAINERS_REGISTRIES_CONF: '/dev/null' },
      stdio: ['ignore', out, err],
    })
    await once(child, 'exit')
    for (const fd of [out, err]) closeSync(fd ?? -1)
    shown += files.map((file) => readFileSync(file, 'utf8')).join('')
  }
  expect(shown).not.toMatch(steers)
  return shown
}

const startContainer = (script = 'sleep 1000') => {
  place.configure(script, { config: { annotations: { [`a${hostile}`]: hostile } } })
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
}
/** As JSON has it, and as text. */
const escaped = '\\u202egpj'

describe('nothing that others wrote steers a terminal', () => {
  test('annotations and the bundle, in state, list, events and ps', async () => {
    mkdirSync(at(`b${hostile}`))
    renameSync(place.bundle, at(`b${hostile}/bundle`))
    const bundle = at(`b${hostile}/bundle`)
    const config = { process: { args: ['sh', '-c', 'sleep 1000; :', hostile] } }
    mkdirSync(place.bundle)
    place.configure('sleep 1000', { ...config, config: { annotations: { [`a${hostile}`]: hostile } } })
    renameSync(join(place.bundle, 'config.json'), join(bundle, 'config.json'))
    expect(place.tool(['run', '-d', '-b', bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
    const state = await show('state', place.id)
    expect(JSON.parse(place.tool(['state', place.id]).stdout).annotations).toEqual({ [`a${hostile}`]: hostile })
    expect(state).toContain(escaped)
    expect(await show('list')).toContain(escaped)
    expect(await show('list', '--format', 'json')).toContain(escaped)
    await show('list', '-q')
    await show('ps', place.id)
    await show('ps', place.id, `--${hostile}`)
    await show('events', '--stats', place.id)
    await show('stats', '--no-stream', '--json', place.id)
    await show('stats', '--no-stream')
  })

  test.each([
    ['/process/args', { process: { args: [`no${hostile}`] } }],
    ['/process/cwd', { process: { cwd: `/bin/sh/${hostile}` } }],
    ['/process/env', { process: { env: [hostile] } }],
    ['/process/capabilities', { process: { capabilities: { bounding: [hostile] } } }],
    ['/process/rlimits', { process: { rlimits: [{ type: hostile, soft: 1, hard: 1 }] } }],
    [
      '/mounts',
      { config: { mounts: [{ destination: `/x${hostile}`, type: hostile, source: hostile, options: [hostile] }] } },
    ],
    ['/root/path', { config: { root: { path: hostile } } }],
    ['/hostname', { config: { hostname: hostile }, linux: { namespaces: [] } }],
    [
      '/hooks',
      {
        config: {
          hooks: {
            createRuntime: [
              { path: '/bin/sh', args: ['sh', '-c', `printf %s 'one${hostile}\n  hint: two' >&2; exit 1`] },
            ],
          },
        },
      },
    ],
    ['/linux/sysctl', { linux: { sysctl: { [`net.${hostile}`]: hostile } } }],
    ['/linux/cgroupsPath', { linux: { cgroupsPath: `/x${hostile}/${'y'.repeat(300)}` } }],
    ['/linux/devices', { linux: { devices: [{ path: `/dev/${hostile}`, type: 'c', major: -1, minor: -1 }] } }],
    ['/linux/namespaces', { linux: { namespaces: [{ type: 'network', path: `/proc/none${hostile}` }] } }],
    ['/linux/maskedPaths', { linux: { maskedPaths: [`/x\n${hostile}`] } }],
    ['/ociVersion', { config: { ociVersion: hostile } }],
    ['/hostile', { config: { [hostile]: hostile } }],
  ])('config.json, %s, in run and explain', async (_, change) => {
    place.configure('true', change as never)
    for (const command of ['run', 'create']) {
      await show(command, '-b', place.bundle, place.id)
      place.tool(['delete', '-f', place.id])
    }
    await show('explain', place.bundle)
    await show('explain', '--json', place.bundle)
    await show('config', '--show', '-b', place.bundle)
    await show('config', '--show', '--json', '-b', place.bundle)
    await show('config', '-b', place.bundle, '-v', `./${hostile}:/x`)
  })

  test('a config.json that is no JSON, and one that is nowhere', async () => {
    writeFileSync(join(place.bundle, 'config.json'), `{"a": ${hostile}`)
    await show('run', '-b', place.bundle, place.id)
    await show('run', '-b', at(`none${hostile}`), place.id)
    await show('spec', '-b', at(`none${hostile}/none`))
    await show('explain', at(hostile))
  })

  test('the words of the caller', async () => {
    startContainer()
    writeFileSync(at('hostile.json'), `{"memory": {"limit": "${hostile}"}} ${hostile}`)
    for (const args of [
      ['exec', place.id, `no${hostile}`],
      ['exec', '--cwd', `/none${hostile}`, place.id, 'true'],
      ['exec', '--cap', hostile, place.id, 'true'],
      ['exec', '-p', at(hostile), place.id],
      ['exec', `-${hostile}`, place.id],
      ['kill', place.id, hostile],
      ['update', '-r', at('hostile.json'), place.id],
      ['update', '-r', at(`none${hostile}`), place.id],
      ['update', '--cpuset-cpus', hostile, place.id],
      ['state', hostile],
      ['start', hostile],
      ['pause', hostile],
      ['resume', hostile],
      ['delete', hostile],
      ['stop', hostile],
      ['stop', '--time', hostile, place.id],
      ['wait', hostile],
      ['completion', hostile],
      ['man', hostile],
      ['checkpoint', '--image-path', `/proc/none${hostile}`, place.id],
      ['restore', '-b', at(hostile), '--image-path', at(hostile), hostile],
      ['list', '--format', hostile],
      ['features', hostile],
      ['unshare', at(hostile)],
      [`nonsense${hostile}`],
      ['run', '--pid-file', `/proc/none${hostile}`, '-b', place.bundle, 'other'],
      ['run', '--console-socket', at(hostile), '-b', place.bundle, 'other'],
      ['--log-format', hostile, 'list'],
      ['--root', `/proc/none${hostile}`, 'list'],
    ]) {
      await show(...args)
    }
  })

  test('a stop signal that is none', async () => {
    place.configure('sleep 1000', { config: { annotations: { 'org.opencontainers.image.stopSignal': hostile } } })
    expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
    expect(await show('stop', place.id)).toContain(escaped)
  })

  test('a state that cannot be read, in list', async () => {
    mkdirSync(join(place.root, 'broken'), { recursive: true })
    writeFileSync(join(place.root, 'broken/state.json'), `{"id": "broken", "${hostile}": `)
    await show('list')
    await show('state', 'broken')
    await show('stats', '--no-stream', 'broken')
    rmSync(join(place.root, 'broken'), { recursive: true })
  })
})

describe('nothing of an image steers a terminal', () => {
  const image = async () => {
    const config = {
      architecture: 'amd64',
      os: 'linux',
      created: hostile,
      config: {
        Cmd: [hostile],
        Env: [`A=${hostile}`],
        User: `none${hostile}`,
        Labels: { [`org.systemd.property.${hostile}`]: hostile },
        Volumes: { [`/v${hostile}`]: {} },
      },
    }
    return makeImage([await makeLayer({ [`file${hostile}`]: 'x' })], { config })
  }

  test('in a layout or an archive', async () => {
    const one = await image()
    writeFiles(at('layout'), layoutFiles({ [`tag${hostile}`]: one, plain: one }))
    writeFileSync(at('docker.tar'), await makeTar(dockerFiles([{ tags: [`app:${hostile}`, 'plain:1'], image: one }])))
    for (const args of [
      ['inspect', `oci:${at('layout')}:plain`],
      ['inspect', '--json', `oci:${at('layout')}:plain`],
      ['inspect', `oci:${at('layout')}`],
      ['inspect', `oci:${at('layout')}:none${hostile}`],
      ['inspect', `docker-archive:${at('docker.tar')}:plain:1`],
      ['list-tags', `oci:${at('layout')}`],
      ['list-tags', '--json', `docker-archive:${at('docker.tar')}`],
      ['list-tags', `docker-archive:${at('docker.tar')}`],
      ['unpack', `oci:${at('layout')}:plain`, '--out', at('out')],
      ['unpack', '--json', `docker-archive:${at('docker.tar')}:plain:1`, '--out', at(`o${hostile}`)],
      ['unpack', at(`none${hostile}`), '--out', at('out')],
      ['copy', `oci:${at('layout')}:plain`, `oci:${at('copy')}:${hostile}`],
      ['copy', '--json', `oci:${at('layout')}:plain`, `oci:${at('copy')}:one`],
      ['push', '--from', `oci:${at('layout')}:plain`, `localhost:1/${hostile}`],
      ['export', at(`none${hostile}`), '-o', at('x.tar')],
      ['export', place.bundle, '-o', `/proc/none${hostile}`],
      ['repack', at(`none${hostile}`), '--image', `oci:${at('copy')}:x`],
      ['rmi', `none${hostile}`],
      ['pull', `localhost:1/${hostile}`, '--out', at('out')],
      ['login', '-u', 'x', '-p', 'y', `localhost:1${hostile}`],
      ['logout', '--authfile', at(hostile), `localhost:1${hostile}`],
      ['version', hostile],
      ['digest', `oci:${at('layout')}:plain`],
      ['digest', `oci:${at('layout')}:none${hostile}`],
      ['list-referrers', `oci:${at('layout')}:plain`],
      ['tag', `oci:${at('layout')}:none${hostile}`, hostile],
      ['diff', at(`none${hostile}`)],
      ['doctor', hostile],
      ['engine', hostile],
      ['try', '--store', at('tries'), `oci:${at('layout')}:plain`],
      ['try', '--store', at('tries'), at(`none${hostile}`)],
    ]) {
      await show(...args)
      rmSync(at('out'), { recursive: true, force: true })
    }
  })

  test('in the store', async () => {
    const store = at('store')
    writeFiles(store, layoutFiles({ [`example.com/app:${hostile}`]: await image() }))
    for (const name of ['images', 'verify', 'prune']) {
      await show(name, '--store', store)
      await show(name, '--json', '--store', store)
    }
  })

  test('in what a registry answers', async () => {
    await using registry = await startRegistry((request, response) => {
      if (request.url === '/v2/') return
      if (request.url?.includes('/tags/list')) {
        response.end(JSON.stringify({ name: 'app', tags: [hostile, 'plain'] }))
        return true
      }
      response.writeHead(400, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ errors: [{ code: hostile, message: hostile, detail: hostile }] }))
      return true
    })
    for (const args of [
      ['list-tags', `${registry.host}/app`],
      ['list-tags', '--json', `${registry.host}/app`],
      ['inspect', `${registry.host}/app:1`],
      ['pull', `${registry.host}/app:1`, '--out', at('out'), '--store', at('store')],
      ['copy', `${registry.host}/app:1`, `oci:${at('copy')}:1`],
    ]) {
      await show(...args, '--insecure')
    }
  })

  test('every command has been shown something', () => {
    expect(commands.map(({ name }) => name).filter((name) => !called.has(name))).toEqual([])
  })
})
