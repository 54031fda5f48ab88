import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commands } from '../src/cli/commands.ts'
import * as contract from '../src/program/contract.ts'
import { phases } from '../src/program/ops.ts'
import { layOut } from '../src/program/structs.ts'

const project = join(import.meta.dirname, '..')

/** The files that are written by hand, without comments: TypeScript, C and scripts beside the contract and the files made of it. */
const sources = ['src', 'native', 'scripts'].flatMap((directory) =>
  readdirSync(join(project, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.([ch]|ts|mjs)$/.test(name))
    .map((name) => join(directory, name))
    .filter(
      (path) =>
        !['src/program/contract.ts', 'native/contract.h', 'native/runner/ops.h', 'scripts/generate.mjs'].includes(path),
    )
    .map((path) => ({ path, code: codeOf(readFileSync(join(project, path), 'utf8')) })),
)

function codeOf(text: string): string {
  return text.replaceAll(/\/\*.*?\*\//gs, '').replaceAll(/^\s*\/\/.*$/gm, '')
}

const literal = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
/** A text as a literal, or the beginning of one. */
const begun = (text: string): RegExp => new RegExp(`['"\`/]${literal(text)}`)
/** A number, and no part of one. */
const number = (value: number | bigint): RegExp =>
  new RegExp(`(?<![\\w.])(?:${value}n?|0x${value.toString(16)}(?:n|U?L*)?)(?![\\w.])`, 'i')

/** Each fact, how it would be written by hand, and files that have the same text or number for something else. */
const facts: readonly (readonly [name: string, pattern: RegExp, others?: readonly string[]])[] = [
  [
    'the exit code of no program',
    number(contract.noProgram),
    ['src/program/ops/attributes.ts', 'src/interpreter/system-error.ts'],
  ],
  ['the exit code of what could not be executed', /exit_with\(127\)|notExecuted = |return 127/, ['src/cli/errors.ts']],
  ...Object.values(contract.argv0).map((text) => ['first word of a command line', begun(text)] as const),
  ['variables of the tool', /BUNDLE_TOOL_(?!BENCH)/],
  ['variables that are kept from Node.js', /['"^]\(?\??:?(?:NODE_\(|NODE_["']|OPENSSL_["'|)])/],
  ['the file of the state', begun(contract.stateFile)],
  ['the record for the front', /['"/]\.front\b/],
  ['the FIFO of start', begun(contract.startFifo)],
  ['names of kept programs', begun(contract.keptPrefix)],
  ['the hash of keys', new RegExp(`${contract.fnvOffset.toString(16)}|${contract.fnvPrime.toString(16)}`, 'i')],
  ['magic numbers', new RegExp(`${contract.magic}|${contract.keptMagic}`)],
  ['the size of reports', /\b(?:1056|32 \+ 1024|reportBytes = \d)/],
  [
    'the size of orders and guards',
    /\b(?:guardBytes|orderBytes|headerBytes|stepBytes) = \d/,
    ['src/compile/net-devices.ts'],
  ],
  ['the largest program', /256 << 20|MAX_PROGRAM = |maxProgram\w* = /],
  ['the signal that ends a run', /SIGPWR|END_SIGNAL = /, ['src/interpreter/os.ts']],
  ['barriers', /barrier: \d|[bB]arriers? = [1-9]|Barrier = \d/],
  ['kinds in C', /enum (?:report|guard|order|tree)_kind \{/],
  ['structures in C', new RegExp(`struct (?:${Object.keys(contract.structs).join('|')}) \\{`)],
]

test.each(facts.map(([name, pattern, others = []]) => ({ name, pattern, others })))(
  '$name: only in the contract',
  ({ pattern, others }) => {
    const found = sources.filter(({ path, code }) => !others.includes(path) && pattern.test(code))
    const lines = found.flatMap(({ path, code }) =>
      code
        .split('\n')
        .filter((line) => pattern.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    )
    expect(lines).toEqual([])
  },
)

test('the commands of the contract are commands', () => {
  const names = commands.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining([...contract.nodeCommands]))
})

test('commands for images are those that need Node.js', () => {
  const sourceOf = (name: string): string => readFileSync(join(project, `src/cli/${name}.ts`), 'utf8')
  const forImages = commands
    .map(({ name }) => name)
    .filter((name) => sourceOf(name).includes("import('../verbs/image/"))
  expect(forImages.length).toBeGreaterThan(10)
  expect(contract.nodeCommands).toEqual(expect.arrayContaining(forImages))
})

test('structures have the sizes that files of this version have', () => {
  const sizes = Object.fromEntries(
    Object.entries(contract.structs).map(([name, struct]) => [name, layOut(struct).size]),
  )
  expect(sizes).toEqual({
    program_header: 64,
    step: 64,
    report: 1056,
    order: 24,
    kept_header: 16,
    guard: 72,
    handover: 8,
    tree_command: 48,
    tree_report: 16,
  })
  expect(layOut(contract.structs.step).at).toEqual({
    op: 0,
    phase: 2,
    reserved: 3,
    tolerate: 4,
    arg: 8,
    from: 56,
    undoes: 60,
  })
  expect(contract.structs.program_header.fields.steps[1]).toBe(phases.length)
})

test('each barrier has its name', () => {
  for (const [name, value] of Object.entries(contract.barriers)) expect(contract.barrierName(value)).toBe(name)
  expect([0, 7, 200].map((index) => contract.barrierName(contract.mountBarrier(index)))).toEqual([
    'mount0',
    'mount7',
    'mount0',
  ])
})

test('Node.js gets no variable that changes its code, and those for trust only to talk to servers', () => {
  const names = ['NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS', 'OPENSSL_CONF', 'NODE_EXTRA_CA_CERTS_X', 'NODELESS', 'PATH']
  expect(names.filter((name) => contract.isHiddenVariable(name, false))).toEqual(names.slice(0, 4))
  expect(names.filter((name) => contract.isHiddenVariable(name, true))).toEqual([names[0], names[3]])
})
