import { expect, test } from 'vitest'
import { deviceFilter, type FilterRule } from '../../../src/compile/cgroup/device-filter.ts'
import { randomRules } from './random-device-rules.ts'

interface Request {
  readonly type: 'b' | 'c'
  readonly access: number
  readonly major: number
  readonly minor: number
}

const letters = { m: 1, r: 2, w: 4 } as const

/** The decision of the rules by their definition. */
function expected(rules: readonly FilterRule[], { type, access, major, minor }: Request): boolean {
  const decisive = rules.findLast((rule) => {
    const mask = [...rule.access].reduce((sum, letter) => sum | letters[letter as keyof typeof letters], 0)
    const isMeant = rule.allow ? (access & mask) === access : (access & mask) !== 0
    const isThere = (rule.type === 'a' || rule.type === type) && (rule.major ?? major) === major
    return isMeant && isThere && (rule.minor ?? minor) === minor
  })
  return decisive?.allow ?? false
}

/** Runs a filter as the kernel would; it knows only the eBPF instructions that filters use. */
function decide(filter: Uint8Array, { type, access, major, minor }: Request): boolean {
  const context = [((access << 16) | { b: 1, c: 2 }[type]) >>> 0, major, minor]
  const view = new DataView(filter.buffer, filter.byteOffset, filter.byteLength)
  const registers = new Array<number>(11).fill(Number.NaN)
  for (let at = 0; ; at += 8) {
    const code = view.getUint8(at)
    const [to, from] = [view.getUint8(at + 1) & 15, view.getUint8(at + 1) >> 4]
    const [offset, immediate] = [view.getInt16(at + 2, true), view.getInt32(at + 4, true) >>> 0]
    const read = (register: number): number => {
      const value = registers[register] ?? Number.NaN
      if (Number.isNaN(value)) throw new Error(`register ${register} is read before it is set`)
      return value
    }
    if (code === 0x95) return read(0) === 1
    else if (code === 0x61) registers[to] = context[offset / 4] ?? Number.NaN
    else if (code === 0xb4) registers[to] = immediate
    else if (code === 0xbc) registers[to] = read(from)
    else if (code === 0x54) registers[to] = (read(to) & immediate) >>> 0
    else if (code === 0x4c) registers[to] = (read(to) | read(from)) >>> 0
    else if (code === 0x64) registers[to] = (read(to) << immediate) >>> 0
    else if (code === 0x74) registers[to] = read(to) >>> immediate
    else if (code === 0x05) at += 8 * offset
    else if (code === 0x56) at += read(to) === immediate ? 0 : 8 * offset
    else if (code === 0x16) at += read(to) === immediate ? 8 * offset : 0
    else if (code === 0x5e) at += read(to) === read(from) ? 0 : 8 * offset
    else throw new Error(`the instruction 0x${code.toString(16)} is not known`)
  }
}

function* requests(): Generator<Request> {
  for (const type of ['b', 'c'] as const)
    for (let access = 1; access <= 7; access++)
      for (const major of [0, 1, 5, 8, 136, 4095])
        for (const minor of [0, 1, 5, 8, 136, 2 ** 20 - 1]) yield { type, access, major, minor }
}

function check(rules: readonly FilterRule[]): void {
  const filter = deviceFilter(rules)
  const wrong = [...requests()].filter((request) => decide(filter, request) !== expected(rules, request))
  expect({ rules, wrong }).toEqual({ rules, wrong: [] })
}

test('a filter decides like the last rule that matches, for random rules', () => {
  check([])
  for (let seed = 0; seed < 300; seed++) check(randomRules(seed))
})

test('numbers that no device can have match no device', () => {
  const of = (major: number, minor?: number): FilterRule => ({ allow: true, type: 'c', major, minor, access: 'rwm' })
  check([of(2 ** 32 + 1, 5), of(4096 + 1, 5), of(1, 2 ** 20 + 5), of(0, 2 ** 20), of(2 ** 32 + 8)])
})

test('rules that differ only in their numbers share one check of the type and the access', () => {
  const rules = Array.from({ length: 10 }, (_, minor): FilterRule => {
    return { allow: true, type: 'c', major: 1, minor, access: 'rw' }
  })
  const instructions = (some: readonly FilterRule[]) => deviceFilter(some).length / 8
  expect(instructions(rules)).toBe(instructions(rules.slice(0, 1)) + 9)
})
