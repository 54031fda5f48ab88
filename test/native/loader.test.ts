import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { encode } from '../../src/program/encode.ts'
import { openFlags } from '../../src/program/flags.ts'
import { ops } from '../../src/program/ops.ts'
import { op, type Program, undoable } from '../../src/program/program.ts'
import { requires } from '../requirements.ts'
import { type ExecuteOptions, executeImage } from './runner.ts'

/** Where a program works that a mutation has let through: an empty directory, and as nobody when the test is root. */
const directory = mkdtempSync(join(tmpdir(), 'loader-'))
chmodSync(directory, 0o755)
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const harmless: ExecuteOptions = {
  cwd: directory,
  timeoutMs: 2000,
  ...(process.geteuid?.() === 0 ? { user: 65534 } : {}),
}

/** An operand of every kind, and nothing that does anything: no name in it is of a file. */
const program: Program = {
  host: [
    undoable(op('open', { to: 'd', at: null, path: '.', flags: openFlags.PATH })),
    undoable(
      op('open', { to: 'a', at: null, path: ['n', { register: 'id' }], flags: openFlags.RDONLY }, '/x', 'ENOENT'),
    ),
    undoable(op('utimens', { at: 'd', path: 'nn', seconds: 1, nanoseconds: 2 }, '', 'ENOENT')),
    undoable(op('default_home', { uid: 0, env: ['A=b', 'C=d'] }), op('rmdir', { at: null, path: 'nnn' }, '', 'ENOENT')),
    undoable(op('expect_not', { path: 'nnnn', content: 'F', unlessMade: 0 }, '/y', 'ENOENT')),
    undoable(op('setxattr', { at: 'd', path: 'nn', name: 'user.x', value: Uint8Array.of(1, 2, 3) }, '', 'ENOENT')),
    undoable(op('umask', { mask: 0o22 })),
  ],
  stage: [],
  child: [],
}
const image = encode(program)
const headerBytes = 64
const stepBytes = 64
const steps = program.host.length + 1
const stringsAt = image.length - new DataView(image.buffer).getUint32(32, true)

function changed(change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const copy = image.slice()
  change(new DataView(copy.buffer), copy)
  return copy
}

const set32 = (at: number, value: number): Uint8Array => changed((view) => view.setUint32(at, value, true))
const setOperand = (step: number, operand: number, value: bigint): Uint8Array =>
  changed((view) => view.setBigUint64(headerBytes + step * stepBytes + 8 + operand * 8, value, true))

function expectRefused(damaged: Uint8Array, error = 'ENOEXEC'): void {
  const { end, reports } = executeImage(damaged, harmless)
  expect({ end, reports }).toMatchObject({ end: 2, reports: [{ kind: 'refused', error }] })
}

test('the program that the others are damages of runs', () => {
  expect(executeImage(image, harmless)).toMatchObject({ end: 0, reports: [] })
})

const header: readonly (readonly [string, number])[] = [
  ['the magic', 0],
  ['the version', 4],
  ['the size', 8],
  ['the number of host steps', 12],
  ['the number of stage steps', 16],
  ['the number of child steps', 20],
  ['the number of undo steps', 24],
  ['the length of the lists', 28],
  ['the length of the strings', 32],
  ['the reserved words', 36],
  ['the last reserved word', 60],
]
test.each(header)('any other value in %s is refused', (_, at) => {
  const value = new DataView(image.buffer).getUint32(at, true)
  for (const other of [value + 1, value ^ 0x8000_0000, 0xffff_ffff]) expectRefused(set32(at, other >>> 0))
  if (value > 0) expectRefused(set32(at, value - 1))
})

test('a program cut off anywhere, or with something after it, is refused', () => {
  for (let length = 0; length < image.length; length += 17) expectRefused(image.subarray(0, length))
  expectRefused(image.subarray(0, image.length - 1))
  expectRefused(Buffer.concat([image, Buffer.alloc(1)]))
})

test('an op that does not exist is refused', () => {
  const known = new Set<number>(Object.values(ops).map(({ number }) => number))
  const unknown = [0, ...Array.from({ length: 130 }, (_, n) => n), 0xffff].filter((number) => !known.has(number))
  for (const number of unknown) {
    expectRefused(changed((view) => view.setUint16(headerBytes, number, true)))
  }
})

test.each([
  ['a phase that is not that of its place', changed((_, bytes) => bytes.set([2], headerBytes + 2))],
  ['a phase that there is not', changed((_, bytes) => bytes.set([200], headerBytes + 2))],
  ['something in the reserved byte', changed((_, bytes) => bytes.set([1], headerBytes + 3))],
  ['a tolerated error that there is not', set32(headerBytes + 4, 0x8000_0000)],
  ['a provenance outside of the strings', set32(headerBytes + 56, image.length)],
  ['a host step that undoes something', set32(headerBytes + 60, 1)],
  ['an undo step of a host step that there is not', set32(headerBytes + (steps - 1) * stepBytes + 60, steps)],
  ['a slot that there is not', setOperand(2, 0, 64n)],
  ['no slot where one is to be filled', setOperand(1, 0, 0xffff_ffff_ffff_ffffn)],
  ['a text outside of the strings', setOperand(1, 2, BigInt(image.length))],
  ['no text', setOperand(1, 2, 0n)],
  ['a string far outside of the strings', setOperand(2, 1, 0xffff_ffff_0000_0000n)],
  ['a list outside of the lists', setOperand(3, 1, 1000n)],
  ['binary data that is longer than the strings', setOperand(5, 3, 1n | (0xffff_ffffn << 32n))],
  ['an operand that its op does not have', setOperand(6, 1, 1n)],
  ['strings without an end', changed((_, bytes) => bytes.set([65], image.length - 1))],
  ['strings that do not begin with the empty one', changed((_, bytes) => bytes.set([65], stringsAt))],
  ['a list without an end', changed((view) => view.setBigUint64(stringsAt - 8, 1n, true))],
  ['an entry of a list outside of the strings', changed((view) => view.setBigUint64(stringsAt - 32, 99_999n, true))],
  [
    'a text with a register that there is not',
    changed((_, bytes) => bytes.set([126], bytes.indexOf(1, stringsAt) + 1)),
  ],
])('%s is refused', (_, damaged) => {
  expectRefused(damaged)
})

test('thousands of random mutations are refused or run, and never crash or hang the runner', () => {
  let seed = 20_261
  const random = (below: number): number => {
    seed = (seed * 48_271) % 0x7fff_ffff
    return seed % below
  }
  const ends = new Map<unknown, number>()
  for (let round = 0; round < 2000; round++) {
    const damaged = changed((_, bytes) => {
      for (let count = 1 + random(3); count > 0; count--) {
        bytes[random(bytes.length)] = random(4) === 0 ? ([0, 255, 1, 127][random(4)] ?? 0) : random(256)
      }
    })
    const { end } = executeImage(damaged, harmless)
    ends.set(end, (ends.get(end) ?? 0) + 1)
    expect([0, 1, 2], `round ${round} ended with ${end}: ${Buffer.from(damaged).toString('base64')}`).toContain(end)
  }
  // Both happen: the mutations reach what is behind the first checks.
  expect(ends.get(2)).toBeGreaterThan(500)
  expect((ends.get(0) ?? 0) + (ends.get(1) ?? 0)).toBeGreaterThan(50)
})

test.each([0o620, 0o602, 0o666])(
  'a program whose file has mode %o is refused: others could have written it',
  (mode) => {
    const { end, reports } = executeImage(image, { ...harmless, mode })
    expect({ end, reports }).toMatchObject({ end: 2, reports: [{ kind: 'refused', error: 'EACCES' }] })
  },
)

requires('root').test("another user's program is refused, and root's is not", () => {
  expect(executeImage(image, { ...harmless, mode: 0o644, user: 65534 }).end).toBe(0)
  const { end, reports } = executeImage(image, { ...harmless, mode: 0o600, owner: 1234 })
  expect({ end, reports }).toMatchObject({ end: 2, reports: [{ kind: 'refused', error: 'EACCES' }] })
})
