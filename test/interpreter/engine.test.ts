import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { requires } from '../requirements.ts'
import { endInBoth, inBoth } from './both.ts'
import { unpackedMemory } from './packed.ts'

const { test } = requires('interpreter')

function expectSame(body: string, input: unknown = null): unknown {
  const { node, interpreter } = inBoth(body, { input })
  expect(interpreter).toEqual(node)
  return node
}

/** Put together from pieces, which the engine leaves apart when they are long. */
const lengths = [10, 511, 512, 513, 4000, 8191, 8192, 8193, 20_000]

test('strings in pieces are the keys, members and words that they are in one piece', () => {
  expectSame(
    `return input.map((length) => {
      const made = (letter) => { let text = ''; while (text.length < length) text += letter + 'b'.repeat(300); return text }
      const [one, two] = [made('a'), made('a')]
      const whole = [...one].join('')
      const map = new Map([[one, 1]])
      const set = new Set([one])
      const object = { [one]: 1 }
      map.set(two, 2)
      set.add(two)
      object[two] = 2
      return [map.size, map.get(whole), map.has(two), set.size, set.has(whole), Object.keys(object).length, object[whole], one === two,
        map.delete(whole), map.size, JSON.stringify(object) === JSON.stringify({ [whole]: 2 }), JSON.parse('"' + one + '"') === two,
        /^[ab]+$/.test(one), one.indexOf('ab', 5), [one, 'b'].includes(two), one.split('a').length, one.localeCompare(two), one < two + 'c']
    })`,
    lengths,
  )
})

test('integers are compared as bigints', () => {
  const numbers = [-7, -1, 0, 7, 2 ** 31, -(2 ** 31), 1e15, -1e15, 2 ** 53, -(2 ** 53)]
  expectSame(
    `const limits = [0n, -7n, 2n ** 31n, -(2n ** 40n), 2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n]
    return input.flatMap((number) => limits.map((limit) => [BigInt(number) < limit, BigInt(number) >= limit, BigInt(number) === limit,
      BigInt.asUintN(64, BigInt(number)), BigInt(number) * limit, BigInt(number) << 3n, Number(limit)]))`,
    numbers,
  )
})

test('JSON is read and written as it is by Node.js', () => {
  const texts = [
    '',
    ' ',
    '{}',
    '[]',
    '[1,]',
    '{"a":1,}',
    '{"a" 1}',
    "{'a':1}",
    '{a:1}',
    '01',
    '1.',
    '.5',
    '+1',
    '-',
    '-0',
    '1e5',
    '1E+5',
    '1e',
    '0x10',
    'NaN',
    'nul',
    'null x',
    '"a',
    '"\t"',
    '"\\x41"',
    '"\\u12"',
    '"\\ud800"',
    '"\\u0000"',
    '"\u2028"',
    '\u00a0{}',
    '\ufeff{}',
    '[[[[1]]]]',
    '{"__proto__":1}',
    '{"a":1,"a":2}',
    '{"2":1,"1":2,"a":3}',
    '1e999',
    '-1e999',
    '123456789012345678901234567890',
    '0.1',
    '1.7976931348623157e308',
    '5e-324',
    '[1 2]',
    '\v1',
    '\f1',
    '\r\n1',
    '//1',
    '1//',
  ]
  expectSame(
    `return input.map((text) => {
      const { value, name } = attempt(() => JSON.parse(text))
      return [name, JSON.stringify(value), Object.is(value, -0), attempt(() => Object.keys(value)).value, attempt(() => Object.getPrototypeOf(value) === Object.prototype).value]
    })`,
    texts,
  )
})

describe('hostile code has nothing to work with', () => {
  test('no text becomes code', () => {
    const { interpreter } = inBoth(
      `return ['eval("1")', 'Function'].map((name) => name === 'Function' ? attempt(() => Function('return 1')()) : attempt(() => (0, eval)('1 + 1')))
        .concat(attempt(() => (async () => {}).constructor('return 1')))`,
    )
    for (const answer of interpreter as readonly object[]) expect(answer).not.toHaveProperty('value')
  })

  test('no module is loaded from the disk', () => {
    const { interpreter } = inBoth(
      `return [attempt(() => require('node:http')), attempt(() => require('/etc/passwd')), typeof std, typeof os, typeof globalThis.require]`,
    ) as { interpreter: readonly unknown[] }
    expect(interpreter.slice(2)).toEqual(['undefined', 'undefined', 'undefined'])
    for (const answer of interpreter.slice(0, 2)) expect(answer).not.toHaveProperty('value')
  })

  test('recursion and memory have an end, which is an error', () => {
    // Node.js would take gigabytes.
    const body = `if (process.versions) return ['RangeError', 'InternalError']
      const deep = () => 1 + deep()
      const lists = []
      return [attempt(deep).name, attempt(() => { for (;;) lists.push(new Uint8Array(1 << 24).fill(1)) }).name]`
    expectSame(body)
  })
})

describe('an error that nothing catches ends the process', () => {
  const later = 'await new Promise((done) => setTimeout(done, 50))'
  test.for([
    ['of a promise that nothing waits for', `;(async () => { throw new TypeError('lost') })(); ${later}`],
    ['of a timer', `setTimeout(() => { throw new RangeError('lost') }, 1); ${later}`],
    ['of the program', `throw new TypeError('lost')`],
    ['with another to follow', `Promise.reject(new Error('lost')); Promise.reject(new Error('another')); ${later}`],
  ] as const)('%s', ([, body]) => {
    const { node, interpreter } = endInBoth(body)
    expect(node).toEqual({ status: 1, error: expect.stringMatching(/Error: lost$/), hasStack: true })
    expect(interpreter).toEqual(node)
  })

  test('but not when something waits for it after all', () => {
    const body = `const one = Promise.reject(new Error('found')); await undefined; await one.catch(() => {}); ${later}`
    expect(endInBoth(body)).toEqual({
      node: { status: 0, error: undefined, hasStack: false },
      interpreter: { status: 0, error: undefined, hasStack: false },
    })
  })
})

const built = join(import.meta.dirname, '../../dist')

test('the code in the interpreter is that of dist/bin', () => {
  const binary = readFileSync(join(built, 'bundle-tool-interpreter'))
  const memory = unpackedMemory(binary)
  for (const [name, file] of [
    ['errors', 'errors.js'],
    ['seccomp', 'seccomp.code.js'],
    ['cli', 'cli.js'],
    ['systemd-manager', 'systemd-manager.code.js'],
  ] as const) {
    const source = readFileSync(join(built, `.interpreter/${name}.js`), 'utf8')
    expect(source, name).toContain(readFileSync(join(built, 'bin', file), 'utf8').trim())
    // Texts stay as they are in memory. What is between two of them has signs that these do not have.
    const texts = [...source.matchAll(/"([^"'`?:&|\\(){}[\]=,;\n\x7f-\uffff]{24,})"/g)].map(([, text = '']) => text)
    expect(texts.length, name).toBeGreaterThan(2)
    expect(
      texts.filter((text) => !memory.includes(text)),
      name,
    ).toEqual([])
  }
})
