import { describe, expect, test } from 'vitest'
import { commands } from '../../src/cli/commands.ts'
import type { CommandContext } from '../../src/cli/context.ts'
import { describeAsJson } from '../../src/cli/errors.ts'
import { asksForJson, hasFormat } from '../../src/cli/format.ts'
import { differences, number, object, optional, text } from '../../src/cli/json/shape.ts'
import { errorShape, exampleError, jsonShapes } from '../../src/cli/json/shapes.ts'
import { OciError } from '../../src/errors.ts'
import { call } from './call.ts'

const context = { io: { name: 'x', env: {}, euid: 0 }, globals: () => ({}) } as unknown as CommandContext

/** Commands that print no data of their own. */
const without = [
  'export', // an archive
  'unshare', // what the command prints
  'try', // what the container prints
  'run',
  'exec',
  'completion', // a script
  'man', // a manual page
  'spec',
  'create',
  'start',
  'pause',
  'resume',
  'update',
  'checkpoint',
  'restore',
  'kill',
  'delete',
]

describe('every command that prints data has --format, --json and a shape', () => {
  test.each(commands.map(({ name, create }) => [name, create] as const))('%s', (name, create) => {
    const command = create(context)
    expect(hasFormat(command)).toBe(!without.includes(name))
    expect(command.options.some(({ long }) => long === '--json')).toBe(hasFormat(command))
    expect(Object.hasOwn(jsonShapes, name)).toBe(hasFormat(command))
  })
})

test('a shell completes the formats', async () => {
  expect((await call(['completion', 'fish'])).stdout).toMatch(
    /__fish_seen_subcommand_from images' -l format -r -f -a 'table json'/,
  )
  expect((await call(['completion', 'zsh'])).stdout).toContain(':value:(text json)')
})

test.each(Object.entries(jsonShapes))('the example of %s has its shape', (_, { shape, example }) => {
  expect(differences(example.document, shape)).toEqual([])
})

test('what differs from a shape is told, with where it is', () => {
  const shape = object<{ a: string; b?: number }>('', { a: text(''), b: optional(number('')) })
  expect(differences({ a: 'x' }, shape)).toEqual([])
  expect(differences({ b: 'x', c: 1 }, shape)).toEqual([
    '/a is missing',
    '/b is string, not number',
    '/c is not declared',
  ])
  expect(differences([], shape)).toEqual(['/ is array, not object'])
  expect(differences(null, shape)).toEqual(['/ is null'])
})

test.each([
  [['--json'], true],
  [['-json=true'], true],
  [['--format', 'json'], true],
  [['-format=json'], true],
  [['--format', 'table'], false],
  [['--', '--json'], false],
  [['--jsonx'], false],
])('%j asks for JSON: %j', (words, asks) => {
  expect(asksForJson(words)).toBe(asks)
})

test('a format that does not exist is refused, in runc’s words where the flag is runc’s', async () => {
  expect((await call(['images', '--format', 'xml'])).stderr).toBe(
    'error: invalid format option "xml"\n  hint: use table or json\n',
  )
  expect((await call(['state', '--format', 'text', 'x'])).stderr).toContain('invalid format option \\"text\\"')
  expect((await call(['ps', '-f', 'xml', 'x'])).stderr).toMatch(/msg="invalid format option \\"xml\\""\n$/)
})

test('an error is one object, a fault of the program included', () => {
  const of = (error: unknown, isDebug = false) => {
    const document = JSON.parse(describeAsJson(error, isDebug))
    expect(differences(document, errorShape)).toEqual([])
    return document.error
  }
  expect(differences(exampleError, errorShape)).toEqual([])
  const error = new OciError('ERR_CONFIG_INVALID', 'it is wrong', { pointer: '/a', hint: 'do it' })
  expect(of(error)).toEqual({ code: 'ERR_CONFIG_INVALID', message: 'it is wrong', pointer: '/a', hint: 'do it' })
  expect(of(error, true).stack).toContain('format.test.ts')
  expect(of(new TypeError('x is no function'))).toMatchObject({ code: 'ERR_INTERNAL' })
  expect(of(Object.assign(new Error('ENOSPC: write'), { code: 'ENOSPC', syscall: 'write' }))).toEqual({
    code: 'ERR_FILE_SYSTEM',
    message: 'ENOSPC: write',
  })
})
