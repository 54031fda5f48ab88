import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { operandsOf } from '../../src/program/encode.ts'
import type { OpDefinition } from '../../src/program/ops/definition.ts'
import { type OpName, ops, tolerableErrors } from '../../src/program/ops.ts'

const project = join(import.meta.dirname, '../..')
const names = Object.keys(ops) as OpName[]

test('op numbers are unique and fit their place in a step', () => {
  const numbers = names.map((name) => ops[name].number)
  expect(new Set(numbers).size).toBe(numbers.length)
  for (const number of numbers) expect(number).toBeGreaterThan(0)
  expect(Math.max(...numbers)).toBeLessThan(2 ** 16)
})

test('an op is declared once', async () => {
  const directory = join(project, 'src/program/ops')
  const groups = readdirSync(directory).filter((name) => name !== 'definition.ts')
  const tables = await Promise.all(groups.map((name) => import(join(directory, name))))
  const declared = tables.flatMap((table) => Object.values(table).flatMap((group) => Object.keys(group as object)))
  expect(declared.sort()).toEqual([...names].sort())
})

test('no op has more operands than a step has room for', () => {
  for (const name of names) expect(operandsOf(name).length, name).toBeLessThanOrEqual(6)
})

test('the system call of an op uses every operand, and at most the two texts for which the runner has buffers', () => {
  for (const name of names) {
    const { syscall }: OpDefinition = ops[name]
    if (syscall === undefined) continue
    const used = new Set(syscall.slice(1).map((argument) => argument.replace('#', '')))
    const operands = operandsOf(name)
    for (const [operand, kind] of operands) {
      expect(used.has(operand), `${name}: ${operand}`).toBe(true)
      expect(['slot', 'text', 'string', 'bytes', 'octal', 'decimal', 'hex', 'id', 'cloneFlags', 'prctl']).toContain(
        kind,
      )
    }
    expect(operands.filter(([, kind]) => kind === 'text').length, name).toBeLessThanOrEqual(2)
    expect(syscall.length, name).toBeLessThanOrEqual(7)
  }
})

test('there is a bit for every tolerable error', () => {
  expect(Object.keys(tolerableErrors).length).toBeLessThanOrEqual(32)
})

/** Ops for trees of files, which only programs without a config.json use. */
const opsOfTrees: readonly OpName[] = ['make_node', 'utimens', 'list_xattrs']

test('every op is in a golden program, except those for trees of files', () => {
  const goldens = readAll(join(project, 'fixtures/programs'), '.txt')
  const missing = names.filter((name) => !new RegExp(`^ *\\d+  \\w+ +${name}\\b`, 'm').test(goldens))
  expect(missing.sort()).toEqual([...opsOfTrees].sort())
})

test('every op is named in a test of the runner', () => {
  const inTests = readAll(join(project, 'test/native'), '.test.ts')
  const untested = names.filter((name) => !inTests.includes(`'${name}'`))
  expect(untested).toEqual([])
})

test('all generated files are up to date', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/generate.mjs', '--check'], {
    cwd: project,
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  expect(status).toBe(0)
})

function readAll(directory: string, ending: string): string {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => readFileSync(join(directory, name), 'utf8'))
    .join('\n')
}
