import { expect, test } from 'vitest'
import { encode } from '../../src/program/encode.ts'
import { explainProgram, formatExplanation } from '../../src/program/explain.ts'
import { capabilityNames } from '../../src/program/flags.ts'
import { op, type Program, undoable } from '../../src/program/program.ts'

const hostOnly = (...steps: Parameters<typeof undoable>[0][]): Program => ({
  host: steps.map((step) => undoable(step)),
  stage: [],
  child: [],
})

const textOf = (image: Uint8Array): string => Buffer.from(image).toString('latin1')

test('the header counts the steps of each phase and the whole size', () => {
  const image = encode({
    host: [undoable(op('setsid', {}), op('kill_child', {})), undoable(op('setsid', {}))],
    stage: [op('setsid', {})],
    child: [op('setsid', {}), op('setsid', {}), op('setsid', {})],
  })
  const view = new DataView(image.buffer)
  expect(textOf(image.subarray(0, 4))).toBe('BTPR')
  expect(view.getUint32(8, true)).toBe(image.length)
  expect([12, 16, 20, 24].map((at) => view.getUint32(at, true))).toEqual([2, 1, 3, 1])
})

test('a string that two steps share is stored once', () => {
  const path = '/a/string/of/some/length'
  const image = textOf(encode(hostOnly(op('chdir', { path }), op('chdir', { path }))))
  expect(image.split(path).length - 1).toBe(1)
})

test('a register in a text becomes a reference, and an escape byte in a text is kept', () => {
  const image = textOf(encode(hostOnly(op('rmdir', { at: null, path: ['/x\x01y/', { register: 'pid' }] }))))
  expect(image).toContain('/x\x01\x01y/\x01B\0')
})

test('binary data may hold NUL bytes, and keeps its length', () => {
  const value = Uint8Array.of(0, 1, 0, 2)
  const image = encode(hostOnly(op('setxattr', { at: null, path: 'f', name: 'user.x', value })))
  const operand = new DataView(image.buffer).getBigUint64(64 + 8 + 3 * 8, true)
  const offset = image.length - new DataView(image.buffer).getUint32(32, true) + Number(operand & 0xffffffffn)
  expect(operand >> 32n).toBe(4n)
  expect([...image.subarray(offset, offset + 4)]).toEqual([0, 1, 0, 2])
})

test.each([
  ['the only string', ['é']],
  ['the last string', ['a', '/bin/naïve']],
  ['a string between others', ['a', '日本', 'b']],
  ['four bytes for two units', ['🐋', 'b']],
  ['none', ['a', 'b']],
])('strings follow each other, each with its NUL; %s is not ASCII', (_, paths) => {
  const value = Uint8Array.of(0, 255)
  for (const between of [[], [op('setxattr', { at: null, path: 'f', name: 'user.x', value }, 'f')]]) {
    const image = encode(hostOnly(...paths.map((path) => op('chdir', { path }, path)), ...between))
    const size = new DataView(image.buffer).getUint32(32, true)
    const strings = Buffer.from(image.subarray(image.length - size))
    const all = ['', ...paths, ...(between.length > 0 ? ['f', 'user.x'] : [])].map((text) => Buffer.from(`${text}\0`))
    const binary = between.length > 0 ? [Buffer.of(0, 255, 0)] : []
    expect(strings).toEqual(Buffer.concat([...all, ...binary]))
    const at = new DataView(image.buffer).getBigUint64(64 + (paths.length - 1) * 64 + 8, true)
    expect(strings.toString('utf8', Number(at), strings.indexOf(0, Number(at)))).toBe(paths.at(-1))
  }
})

test.each([
  ['a NUL byte in a path', op('chdir', { path: 'a\0b' })],
  ['a NUL byte in an argument', op('execve', { argv: ['a\0b'], env: [] })],
  ['a slot that nothing has filled', op('close', { slot: 'nothing' })],
])('%s is refused', (_, step) => {
  expect(() => encode(hostOnly(step))).toThrow()
})

test('more slots than the runner has are refused', () => {
  const open = (to: string) => op('open', { to, at: null, path: '/', flags: 0 })
  const steps = Array.from({ length: 65 }, (_, index) => open(`slot${index}`))
  expect(() => encode(hostOnly(...steps.slice(0, 64)))).not.toThrow()
  expect(() => encode(hostOnly(...steps))).toThrow('64 slots')
})

test('negative numbers and numbers of 64 bits are encoded whole', () => {
  const image = encode(hostOnly(op('prlimit', { resource: 7, soft: 2n ** 64n - 1n, hard: -1 })))
  const view = new DataView(image.buffer)
  expect(view.getBigUint64(64 + 16, true)).toBe(2n ** 64n - 1n)
  expect(view.getBigUint64(64 + 24, true)).toBe(2n ** 64n - 1n)
})

test.each([
  [op('mount', { source: 'none', target: null, path: '/x', type: 'tmpfs', flags: 3, data: null }), 'RDONLY|NOSUID'],
  [op('open', { to: 'fd', at: null, path: '/x', flags: 0x40000000 }), '%fd = "/x" 0x40000000'],
  [op('capset', { effective: 0, permitted: 1n, inheritable: (1n << BigInt(capabilityNames.length)) - 1n }), 'all'],
  [op('capset', { effective: 0, permitted: 1n, inheritable: 0 }), 'effective=none permitted=CAP_CHOWN'],
  [op('mkdir', { at: null, path: ['/a/', { register: 'id' }], mode: 0o755 }), '"/a/{id}" 0755'],
  [op('prlimit', { resource: 7, soft: 1, hard: 2 }), 'RLIMIT_NOFILE soft=1 hard=2'],
  [op('chdir', { path: 'x'.repeat(200) }), '…(202)'],
  [op('rmdir', { at: null, path: '/x' }, '', 'ENOENT', 'EBUSY'), '"/x" ok=ENOENT|EBUSY'],
])('explain shows %o as %s', (step, shown) => {
  expect(explainProgram(hostOnly(step))[0]?.operands).toContain(shown)
})

test('the listing numbers the steps as the runner does, and undo steps name their host step', () => {
  const program: Program = {
    host: [undoable(op('setsid', {})), undoable(op('setsid', {}), op('kill_child', {}))],
    stage: [],
    child: [op('setsid', {}, '/process')],
  }
  const lines = formatExplanation(explainProgram(program)).split('\n')
  expect(lines[3]).toMatch(/^ +2 {2}child {2}setsid +\/process$/)
  expect(lines[4]).toMatch(/^ +3 {2}undo {3}kill_child +undoes=1$/)
})
