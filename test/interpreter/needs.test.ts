import { expect } from 'vitest'
import { requires } from '../requirements.ts'
import { inBoth } from './both.ts'
import { filesOf, methodsIn, type Need, needsOf } from './needs.ts'

/** What the runtime calls of Node.js is there in the interpreter, by its name. */
const { test } = requires('interpreter')

const manager = 'src/runtime/systemd-manager.ts'
const compiler = ['src/cli/compiler.ts', 'src/compile/seccomp/filter.ts']
/** The parts of the interpreter. */
const all = ['src/cli/process.ts', ...compiler, manager]

/** What is asked for and not there, on purpose. */
const known: Readonly<Record<string, string>> = {
  'node:net Socket': 'the fork server, which only programs that use the library have',
  'node:os getPriority': 'the fork server',
  'node:path extname': 'commander, for commands that are files of their own',
  'node:process execArgv': 'the same',
  'node:process versions': 'commander asks for Electron, and goes on without',
  'Buffer isBuffer': 'commander, for a help that is no text',
}

const presence = `
  const has = (object, name) => object !== undefined && object !== null && name in Object(object)
  const isThere = ({ of, member }) => {
    let at = of.startsWith('node:') ? attempt(() => require(of)).value : globalThis
    const path = of.startsWith('node:') ? [member] : [of, ...member.split('.').filter(Boolean)]
    for (const name of path) {
      if (!has(at, name)) return false
      at = at[name]
    }
    return true
  }
  return input.map(isThere)`

async function needsOfAll(entries: readonly string[], without: readonly string[] = []): Promise<readonly Need[]> {
  const found = (await Promise.all((await filesOf(entries, without)).map(needsOf))).flat()
  const needs = [...new Map(found.map((need) => [`${need.of} ${need.member}`, need])).values()]
  // Asking for a module may bring globals with it.
  return needs.sort((one, other) => Number(one.of.startsWith('node:')) - Number(other.of.startsWith('node:')))
}

/** Those of the needs that Node.js has and the interpreter has not. */
function missingOf(needs: readonly Need[], { isEarly }: { readonly isEarly: boolean }): readonly string[] {
  const options = isEarly ? { early: presence } : {}
  const { node, interpreter } = inBoth(isEarly ? 'return early' : presence, { input: needs, ...options })
  const [inNode, inInterpreter] = [node, interpreter] as [readonly boolean[], readonly boolean[]]
  return needs
    .filter((_, at) => inNode[at] === true && inInterpreter[at] !== true)
    .map(({ of, member, file }) => `${of} ${member}: ${file}`)
}

const isKnown = (line: string): boolean => Object.keys(known).some((name) => line.startsWith(`${name}:`))

test('each import, each global and each member of it', async () => {
  const needs = await needsOfAll(all)
  for (const [of, member] of [
    ['node:net', 'isIP'],
    ['node:fs', 'statfsSync'],
    ['node:child_process', 'spawn'],
    ['process', 'stdout.on'],
    ['setTimeout', ''],
    ['Object', 'hasOwn'],
  ])
    expect(needs).toContainEqual(expect.objectContaining({ of, member }))
  const missing = missingOf(needs, { isEarly: false })
  expect(missing.filter((line) => !isKnown(line))).toEqual([])
  expect(missing.filter(isKnown)).toHaveLength(Object.keys(known).length)
})

test('those of the compiler, when no more than its modules are loaded', async () => {
  const needs = await needsOfAll(compiler, [manager])
  expect(missingOf(needs, { isEarly: true }).filter((line) => !isKnown(line))).toEqual([])
})

test('one that is not there is found', () => {
  const need = (of: string, member: string): Need => ({ of, member, file: 'here' })
  const needs = [need('node:net', 'isIPv4'), need('node:http', 'request'), need('process', 'chdir'), need('fetch', '')]
  const there = [need('node:net', 'isIP'), need('process', 'cwd'), need('node:nonsense', 'isIP')]
  expect(missingOf([...needs, ...there], { isEarly: false })).toEqual([
    'node:net isIPv4: here',
    'node:http request: here',
    'process chdir: here',
    'fetch : here',
  ])
})

/** Methods of classes of Node.js that are called and not there. */
const knownMethods: Readonly<Record<string, string>> = {
  pipe: 'streams of a program that uses the library, in src/runtime/execute.ts',
  writeInt32LE: 'the fork server',
  readUIntBE: 'src/layer/tar, by commands for images',
  isBuffer: 'commander, as above',
  spawn: 'the function of the module',
  read: 'our own: of doors',
  config: 'our own: of bundles',
  version: 'commander: its own',
}

/** The names of methods of what the runtime has in hand, by their prototypes, and of all that has a name in the interpreter. */
const methods = `
  const fs = require('node:fs')
  const child = require('node:child_process').spawn('true', [], { stdio: ['pipe', 'pipe', 'pipe'] })
  const things = [process, process.stdin, process.stdout, child, child.stdout, child.stdin, new TextDecoder(), fs.statSync('/'),
    fs.statSync('/', { bigint: true }), fs.readdirSync('/', { withFileTypes: true })[0], new AbortController(), Buffer.alloc(1),
    [].values(), new Map().values(), ''.matchAll(/a/g), (function* () {})(), (async () => {})(), '', 0, 0n, [], new Map(), new Set(),
    /a/, new Error(), new Date(), new WeakMap(), new DataView(new ArrayBuffer(1)), () => {}, Symbol.iterator]
  const names = new Set()
  for (const thing of things)
    for (let at = Object(thing); at !== null; at = Object.getPrototypeOf(at))
      for (const name of Object.getOwnPropertyNames(at)) if (/^[A-Za-z]\\w*$/.test(name)) names.add(name)
  return [...names]`

test('each method of a class of Node.js, or of the language, is the method of something', async () => {
  const { node, interpreter } = inBoth(methods) as { node: readonly string[]; interpreter: readonly string[] }
  const called = [...new Set((await filesOf(all)).flatMap(methodsIn))]
  expect(called.filter((name) => interpreter.includes(name)).length).toBeGreaterThan(100)
  const missing = called.filter((name) => node.includes(name) && !interpreter.includes(name))
  expect(missing.filter((name) => !(name in knownMethods))).toEqual([])
})
