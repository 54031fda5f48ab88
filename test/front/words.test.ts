import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'
import { variablesFor, withoutNode } from './without-node.ts'

const { test } = requires('root', 'busybox')

const front = join(import.meta.dirname, '../../bin/bundle-tool')
const tools = '/usr/bin:/bin:/usr/sbin:/sbin'

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
  place.configure('sleep 1000')
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
})
afterEach(() => place.close())

/** The ways a call can go: Node.js alone, the front with nothing kept, and with a kept program and no Node.js to be found. */
type Way = 'node' | 'cold' | 'warm'

/** `args` and the output in Latin-1, which has every byte: Node.js itself could hand on no others than those of UTF-8. */
function call(way: Way, ...args: readonly string[]) {
  return callIn(place.directory, way, ...args)
}

function callIn(directory: string, way: Way, ...args: readonly string[]) {
  const [out, err, script] = ['out', 'err', 'script'].map((name) => join(place.directory, name)) as [
    string,
    string,
    string,
  ]
  const tool = way === 'node' ? [process.execPath, `${front}.js`] : [front]
  const words = [...tool, '--root', place.root, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`)
  const text = `cd '${directory}' || exit 99\nexec ${words.join(' ')} >'${out}' 2>'${err}' </dev/null\n`
  writeFileSync(script, text, 'latin1')
  const { status } = spawnSync('/bin/sh', [script], {
    env: variablesFor(way === 'warm' ? withoutNode : `${dirname(process.execPath)}:${tools}`),
    timeout: 20_000,
  })
  const stderr = readFileSync(err, 'latin1').replace(/time="[^"]*" /g, '')
  return { status, stdout: readFileSync(out, 'latin1'), stderr }
}

describe('exec takes what docker exec is given for a shell', () => {
  test.each(['-i', '--interactive'])('%s: nothing is different', (flag) => {
    for (const way of ['cold', 'warm', 'node'] as const) {
      const answer = { status: 0, stdout: 'a', stderr: '' }
      expect(call(way, 'exec', flag, place.id, 'echo', '-n', 'a')).toEqual(answer)
    }
  })

  requires('root', 'script').test.each([['-it'], ['-ti'], ['-i', '-t'], ['-t', '-i']])('%s: a terminal', (...flags) => {
    const words = ['--root', place.root, 'exec', ...flags, place.id, 'sh', '-c', '"test -t 0 && echo terminal"']
    const variables = (path: string) => Object.entries(variablesFor(path)).map(([name, value]) => `${name}=${value}`)
    const inTerminal = (tool: string, path: string) =>
      spawnSync('script', ['-qec', [...variables(path), tool, ...words].join(' '), '/dev/null'], { encoding: 'utf8' })
    const node = `${dirname(process.execPath)}:${tools}`
    for (const [tool, path] of [
      [front, node],
      [front, withoutNode],
      [`${process.execPath} ${front}.js`, node],
    ] as const) {
      expect(inTerminal(tool, path)).toMatchObject({ status: 0, stdout: expect.stringContaining('terminal\r\n') })
    }
  })
})

describe('"--" ends the flags, as with runc', () => {
  const show = ['echo', '-n', 'a', '--', 'b']
  const answer = { status: 0, stdout: 'a -- b', stderr: '' }

  test('between the ID and the command of exec it is no word of the command', () => {
    for (const way of ['cold', 'warm', 'node'] as const) {
      expect(call(way, 'exec', place.id, '--', ...show)).toEqual(answer)
      expect(call(way, 'exec', place.id, ...show)).toEqual(answer)
    }
  })

  test('before the ID it is none either, and then the next one is the command', () => {
    for (const way of ['cold', 'node'] as const) {
      expect(call(way, 'exec', '--', place.id, ...show)).toEqual(answer)
      expect(call(way, '--', 'exec', '--', place.id, ...show)).toEqual(answer)
      expect(call(way, '--', 'exec', place.id, '--', ...show)).toEqual(answer)
      const missing = expect.stringContaining('exec: \\"--\\": executable file not found')
      expect(call(way, 'exec', '--', place.id, '--', ...show)).toMatchObject({ status: 255, stderr: missing })
      expect(call(way, 'exec', place.id, '--', '--', ...show)).toMatchObject({ status: 255, stderr: missing })
    }
  })

  test('without a command behind it exec has none', () => {
    const stderr = expect.stringContaining('process args cannot be empty')
    for (const way of ['cold', 'node'] as const) {
      expect(call(way, 'exec', place.id, '--')).toMatchObject({ status: 255, stderr })
    }
  })

  test.each([
    [['state', '--'], []],
    [['state'], ['--']],
    [['kill', '--'], ['CONT']],
    [['kill'], ['--', 'CONT']],
    [['kill'], ['CONT', '--']],
    [
      ['ps', '--'],
      ['-e', '-o', 'pid'],
    ],
    [['ps'], ['--', '-e', '-o', 'pid']],
    [['events', '--stats', '--'], []],
    [['update', '--pids-limit', '50', '--'], []],
    [['delete', '-f', '--'], []],
    [['--', 'delete', '-f'], ['--']],
  ])('%j ID %j', (before, behind) => {
    for (const way of before.includes('delete') ? (['cold'] as const) : (['cold', 'node'] as const)) {
      expect(call(way, ...before, place.id, ...behind)).toMatchObject({ status: 0, stderr: '' })
    }
  })

  test('a flag behind it is none', () => {
    expect(call('cold', 'delete', '--', place.id, '-f')).toMatchObject({ status: 1 })
    expect(call('cold', '--', '--debug', 'list')).toMatchObject({
      status: 3,
      stderr: expect.stringContaining("No help topic for '--debug'"),
    })
    expect(call('cold', '--log', '--', '--debug', 'state', place.id).status).toBe(0)
  })

  test('run and create take it before their words', () => {
    expect(call('cold', 'delete', '-f', place.id).status).toBe(0)
    for (const words of [
      ['run', '-d', '--', place.bundle],
      ['run', '-d', '-b', place.bundle, '--'],
      ['create', '-b', place.bundle, '--'],
    ]) {
      expect(call('cold', ...words, place.id)).toMatchObject({ status: 0, stderr: '' })
      expect(call('cold', 'delete', '-f', place.id).status).toBe(0)
    }
  })
})

describe('words that are no UTF-8', () => {
  const wild = '\xff\xc3(\xed\xa0\x80 \xf0\x9f\x92'
  const ways = ['node', 'cold', 'warm'] as const

  test('reach the command of exec as they are, the first time and later', () => {
    const answer = { status: 0, stdout: `${wild},b\xe9,`, stderr: '' }
    for (const way of ways) {
      expect(call(way, 'exec', place.id, 'printf', '%s,', wild, 'b\xe9')).toEqual(answer)
    }
    const fromFffd = call('cold', 'exec', place.id, 'printf', '%s', '\xef\xbf\xbd', wild)
    expect(fromFffd).toEqual({ status: 0, stdout: `\xef\xbf\xbd${wild}`, stderr: '' })
  })

  test('are variables and directories as they are, each for itself', () => {
    const directory = Buffer.from(`${place.bundle}/rootfs/${wild}`, 'latin1')
    mkdirSync(directory)
    const show = ['exec', '-e', `A=${wild}`, '--cwd', `/${wild}`, place.id, 'sh', '-c', 'printf %s "$A"; pwd']
    const answer = { status: 0, stdout: `${wild}/${wild}\n`, stderr: '' }
    for (const way of ways) expect(call(way, ...show)).toEqual(answer)
    const replaced = '\xef\xbf\xbd'
    for (const way of ['cold', 'warm'] as const) {
      expect(call(way, 'exec', '-e', `A=${replaced}`, place.id, 'sh', '-c', 'printf %s "$A"')).toMatchObject({
        stdout: replaced,
      })
      expect(call(way, 'exec', '-e', 'A=\xff', place.id, 'sh', '-c', 'printf %s "$A"')).toMatchObject({
        stdout: '\xff',
      })
    }
  })

  test('name the files that the kernel opens', () => {
    for (const way of ways) {
      expect(call(way, 'exec', '--pid-file', `pid${way}${wild}`, place.id, 'true')).toMatchObject({
        status: 0,
        stderr: '',
      })
      expect(existsSync(Buffer.from(`${place.directory}/pid${way}${wild}`, 'latin1'))).toBe(true)
    }
    expect(call('cold', '--log', `log${wild}`, 'state', 'none').status).toBe(1)
    expect(readFileSync(Buffer.from(`${place.directory}/log${wild}`, 'latin1'), 'utf8')).toContain('level=error')
    const socket = call('cold', 'exec', '-t', '-d', '--console-socket', `none${wild}`, place.id, 'true')
    expect(socket).toMatchObject({ status: 255, stderr: expect.stringContaining('none\\\\xff\\\\xc3(') })
  })

  test('are found in the directory of the caller', () => {
    const directory = `${place.directory}/${wild}`
    mkdirSync(Buffer.from(directory, 'latin1'))
    for (const way of ways) {
      expect(callIn(directory, way, 'exec', '--pid-file', way, place.id, 'true')).toMatchObject({
        status: 0,
        stderr: '',
      })
    }
    expect(readdirSync(Buffer.from(directory, 'latin1')).sort()).toEqual([...ways].sort())
  })

  test('are shown, where the command is not there', () => {
    const stderr = expect.stringContaining('exec: \\"no\\\\xff\\": executable file not found')
    for (const way of ['node', 'cold', 'cold'] as const) {
      expect(call(way, 'exec', place.id, 'no\xff')).toMatchObject({ status: 255, stderr })
    }
  })

  test('are refused where a file or JSON must have them', () => {
    for (const [words, named] of [
      [['run', '-b', `b${wild}`, 'x'], '--bundle'],
      [['create', `b${wild}`, 'x'], 'xff'],
      [['exec', '-p', `p${wild}`, place.id], '--process'],
      [['exec', '--user', wild, place.id, 'true'], '--user'],
      [['update', '-r', wild, place.id], '--resources'],
      [['ps', place.id, wild], 'xff'],
      [['kill', place.id, wild], 'xff'],
      [['--root', wild, 'list'], '--root'],
      [['state', wild], 'xff'],
      [['spec', '-b', wild], '--bundle'],
      [['pull', wild, '-o', 'out'], 'xff'],
    ] as const) {
      for (const way of ['node', 'cold', 'cold'] as const) {
        const { status, stderr } = call(way, ...words)
        expect(status, words.join(' ')).not.toBe(0)
        expect(stderr).toContain(' is not UTF-8')
        expect(stderr).toContain(named)
      }
    }
  })

  test('are refused as the bundle that the caller is in', () => {
    const moved = Buffer.from(`${place.directory}/b${wild}`, 'latin1')
    expect(call('cold', 'delete', '-f', place.id).status).toBe(0)
    renameSync(place.bundle, moved)
    for (const way of ['node', 'cold', 'cold'] as const) {
      expect(callIn(`${place.directory}/b${wild}`, way, 'run', place.id)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('is not UTF-8'),
      })
    }
    renameSync(moved, place.bundle)
    expect(place.leftovers()).toEqual([])
  })

  test('are refused in config.json and in the file of --process', () => {
    const config = readFileSync(join(place.bundle, 'config.json'), 'latin1')
    const file = join(place.directory, 'process.json')
    writeFileSync(file, '{"args": ["echo", "\xff"], "cwd": "/"}', 'latin1')
    writeFileSync(join(place.bundle, 'config.json'), config.replace('"cwd":"/"', '"cwd":"/\xff"'), 'latin1')
    const stderr = expect.stringContaining('\\\\xff\\" is not UTF-8')
    expect(call('cold', 'exec', place.id, 'true')).toMatchObject({ status: 255, stderr })
    expect(call('cold', 'run', '-b', place.bundle, 'other')).toMatchObject({ status: 1, stderr })
    writeFileSync(join(place.bundle, 'config.json'), config, 'latin1')
    for (const way of ['node', 'cold', 'cold'] as const) {
      expect(call(way, 'exec', '-p', file, place.id)).toMatchObject({ status: 255, stderr })
    }
  })
})
