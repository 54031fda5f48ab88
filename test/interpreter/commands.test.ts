import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { commands } from '../../src/cli/commands.ts'
import { nodeCommands } from '../../src/program/contract.ts'
import { ContainerPlace } from '../container.ts'
import { withoutNode } from '../front/without-node.ts'
import { requires } from '../requirements.ts'

/** Every command of the runtime answers with the same bytes in Node.js, and where there is none: by the front and in the interpreter. */
const { test } = requires('root', 'busybox', 'interpreter', 'ps')

const project = join(import.meta.dirname, '../..')
const ways = {
  node: [process.execPath, join(project, 'bin/bundle-tool.js')],
  interpreter: [join(project, 'dist/bundle-tool-interpreter'), join(project, 'dist/bin/bundle-tool.js')],
  front: [join(project, 'dist/bundle-tool')],
} as const

let place: ContainerPlace
const names = { running: '', stopped: '', created: '' }
beforeAll(() => {
  place = new ContainerPlace()
  for (const [name, words] of Object.entries({
    running: ['run', '-d'],
    stopped: ['run', '-d', '--keep'],
    created: ['create'],
  })) {
    names[name as keyof typeof names] = `${place.id}-${name}`
    place.configure(name === 'stopped' ? 'true' : 'sleep 1000')
    expect(place.tool([...words, '-b', place.bundle, `${place.id}-${name}`])).toMatchObject({ end: 0 })
  }
})
afterAll(() => place.close())

function answer(way: keyof typeof ways, args: readonly string[], input: string) {
  const cwd = join(place.directory, 'cwd')
  mkdirSync(cwd)
  const [out, err] = ['out', 'err'].map((name) => join(place.directory, name)) as [string, string]
  const words = [...ways[way], '--root', place.root, ...args.map((word) => names[word as keyof typeof names] ?? word)]
  const engine = way === 'node' ? dirname(process.execPath) : withoutNode
  const { status, signal } = spawnSync('/bin/sh', ['-c', 'exec "$@" >"$OUT" 2>"$ERR"', 'sh', ...words], {
    env: { PATH: `${engine}:/usr/bin:/bin`, OUT: out, ERR: err, HOME: place.directory },
    cwd,
    input,
    timeout: 30_000,
  })
  rmSync(cwd, { recursive: true })
  const text = (file: string): string => readFileSync(file, 'utf8').replaceAll(/("time":|time=)"[^"]*"/g, '')
  return { end: signal ?? status, stdout: text(out), stderr: text(err) }
}

function expectSame(args: readonly string[], { input = '', plain = (text: string) => text } = {}): void {
  const [node, ...others] = (['node', 'interpreter', 'front'] as const).map((way) => {
    const { stdout, ...rest } = answer(way, args, input)
    return { stdout: plain(stdout), ...rest }
  })
  for (const other of others) expect(other, args.join(' ')).toEqual(node)
}

const ofRuntime = commands.map(({ name }) => name).filter((name) => !nodeCommands.some((other) => other === name))

describe.each([...ofRuntime, 'nonsense', ''])('%s', (name) => {
  const command = name === '' ? [] : [name]
  test('help, and what is wrong with a call', () => {
    for (const words of [
      [...command, '--help'],
      ['help', ...command],
      [...command, '--nonsense'],
      [...command, '-x', 'nobody'],
      [...command, 'nobody'],
      [...command, 'a/b'],
      [...command, ''],
      [...command, 'a', 'b', 'c'],
      ['--log-format', 'json', ...command, 'nobody'],
      ['--log-format', 'xml', ...command],
      ['--root', '', ...command, 'nobody'],
      [...command, '--format=json', 'nobody'],
    ])
      expectSame(words)
  })
})

const numbers = (text: string): string => text.replaceAll(/\d+(\.\d+)?/g, 'N').replaceAll(/N[A-Za-z]*B?\b| +/g, ' ')

interface Options {
  readonly input?: string
  readonly plain?: (text: string) => string
}

const calls: readonly (readonly [args: readonly string[], options?: Options])[] = [
  [['list']],
  [['list', '-q']],
  [['list', '--format', 'json']],
  [['state', 'running']],
  [['state', 'stopped']],
  [['state', 'created']],
  [['ps', 'running'], { plain: numbers }],
  [['ps', '--format', 'json', 'running']],
  [['ps', 'stopped']],
  [['ps', 'running', '-o', 'pid,args']],
  [['ps', 'running', '-o', 'args']],
  [['events', '--stats', 'running'], { plain: numbers }],
  [['events', '--stats', 'stopped']],
  [['stats', '--no-stream', 'running'], { plain: numbers }],
  [['update', '--pids-limit', '77', 'running']],
  [['update', '-r', '-', 'running'], { input: '{"pids":{"limit":78}}' }],
  [['update', '-r', '-', 'running'], { input: '{' }],
  [['update', '--memory', '1x', 'running']],
  [['kill', 'running', '0']],
  [['kill', 'stopped']],
  [['kill', 'running', 'SIGNONE']],
  [['start', 'running']],
  [['start', 'stopped']],
  [['exec', 'stopped', 'true']],
  [['exec', 'running', 'sh', '-c', 'echo out; echo err >&2; exit 5']],
  [['exec', 'running', 'nothing']],
  [['exec', '--cwd', '/none', 'running', 'true']],
  [['wait', 'stopped']],
  [['delete', 'running']],
  [['delete', 'created', 'x']],
  [['pause', 'stopped']],
  [['resume', 'running']],
  [['checkpoint', 'stopped']],
  [['restore', 'running']],
  [['run', 'running']],
  [['create', '-b', '/nonexistent', 'other']],
  [['run', '--config', '/nonexistent', 'other']],
  [['exec', 'other', 'true']],
  [['exec', '--process', '/nonexistent', 'running']],
  [['spec']],
  [['spec', '-b', '/nonexistent']],
  [['features']],
  [['version', '--json']],
  [['--version']],
  [['completion', 'bash']],
  [['completion', 'zsh']],
  [['completion', 'fish']],
  [['man', 'run']],
  [['config', '-b', '/nonexistent', '--show']],
  [['explain', '-b', '/nonexistent']],
  [['explain', '--json']],
]

test.each(calls.map((call) => ({ name: call[0].join(' '), call })))('$name', ({ call: [args, options] }) => {
  expectSame(args, options)
})
