import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { beforeAll, expect } from 'vitest'
import { marshal } from '../../../src/dbus/marshal.ts'
import { encodeCall } from '../../../src/dbus/message.ts'
import { variant } from '../../../src/dbus/signature.ts'
import { requires } from '../../requirements.ts'
import { inBoth } from '../both.ts'
import { plainConfig } from '../compiled.ts'
import { latin1, type Seeds } from './cases.ts'

/**
 * Documents and messages of somebody else that are nearly right, in both engines: each accepts what the other one does, with the same
 * value, and refuses the rest in the same words. `npm run fuzz` goes on for FUZZ_SECONDS; FUZZ_SEED begins elsewhere.
 */
const { test } = requires('interpreter')

const goldens = join(import.meta.dirname, '../../../fixtures/programs')
const seconds = Number(process.env.FUZZ_SECONDS ?? '0')
const firstSeed = Number(process.env.FUZZ_SEED ?? '19')
const inABatch = 400

let code: string
const seeds: Seeds = { documents: [...configs(), ...Array(8).fill(smallDocuments()).flat()], messages: messages() }

function configs(): readonly string[] {
  const config = plainConfig()
  const { process, linux } = config as { process: unknown; linux: { resources: unknown } }
  const golden = readdirSync(goldens, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('/config.json'),
  )
  const texts = golden.map((name) => readFileSync(join(goldens, name), 'utf8')).filter(({ length }) => length < 12_000)
  return [
    ...texts,
    ...[config, process, linux.resources].map((value) => JSON.stringify(value)),
    JSON.stringify(config, null, 2),
  ]
}

function smallDocuments(): readonly string[] {
  return [
    '{"memory":{"limit":9223372036854775807,"swap":-1},"pids":{"limit":0},"unified":{"memory.high":"1"}}',
    '{"blockIO":{"weight":10,"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":18446744073709551615}]}}',
    '{"cwd":"/","args":["sh","-c","\\u00e4\\ud83d\\ude00\\\\"],"env":["A=b"],"user":{"uid":1000,"gid":0}}',
    '[1,-0,1.5,1e300,9007199254740993,-9223372036854775808,"\\u2028",null,[],{},{"":null}]',
  ]
}

/** What systemd answers, and a call. */
function messages(): readonly string[] {
  const answer = (kind: number, signature: string, body: Parameters<typeof marshal>[1]): Uint8Array => {
    const content = marshal(signature, body)
    const header = [
      [5, variant('u', 7)],
      [3, variant('s', 'JobRemoved')],
      [2, variant('s', 'org.freedesktop.systemd1.Manager')],
      [8, variant('g', signature)],
    ] as const
    const head = marshal('yyyyuua(yv)', [108, kind, 0, 1, content.length, 9, header])
    return Buffer.concat([head, new Uint8Array((8 - (head.length % 8)) % 8), content])
  }
  const properties = [
    ['MemoryMax', variant('t', 2n ** 63n)],
    ['Delegate', variant('b', true)],
    ['ExecStart', variant('a(sasb)', [['a', ['b'], false]])],
  ] as const
  return [
    answer(2, 'o', ['/org/freedesktop/systemd1/job/1']),
    answer(4, 'uoss', [1, '/job/1', 'a.scope', 'done']),
    answer(3, 's', ['no such unit']),
    answer(2, 'a(sv)', [properties]),
    answer(2, 'v', [variant('(ayutbs)', [[1, 2], 3, 4n, true, 'a'])]),
    encodeCall({ destination: 'a.b', path: '/c', interface: 'd.e', member: 'F', signature: 'ss', body: ['a', 'b'] }, 3),
  ].map(latin1)
}

beforeAll(async () => {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'doors.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'doors',
    platform: 'node',
    target: 'node20',
  })
  code = `${outputFiles[0]?.text ?? ''}; return doors.run(input)`
})

function outcomes(seed: number, from: number, to: number, isWhole: boolean) {
  const { node, interpreter } = inBoth(code, { input: { ...seeds, seed, from, to, isWhole } })
  return { node: node as readonly unknown[], interpreter: interpreter as readonly unknown[] }
}

/** Compares the inputs of a seed, and shows the first that differs. */
function expectSame(seed: number): readonly unknown[] {
  const { node, interpreter } = outcomes(seed, 0, inABatch, false)
  const at = node.findIndex((digest, index) => digest !== interpreter[index])
  if (at === -1) return node
  const both = outcomes(seed, at, at + 1, true)
  expect(both.interpreter, `seed ${seed}, input ${at}`).toEqual(both.node)
  throw new Error(`seed ${seed}: the outcomes of input ${at} are the same when it is alone`)
}

test('nearly right documents and messages mean the same in both engines', { timeout: (seconds + 120) * 1000 }, () => {
  const end = Date.now() + seconds * 1000
  let count = 0
  let seed = firstSeed
  do {
    const digests = expectSame(seed++)
    expect(new Set(digests).size).toBeGreaterThan(inABatch / 3)
    count += digests.length
  } while (Date.now() < end)
  if (seconds > 0) console.log(`${count} documents and messages, seeds ${firstSeed} to ${seed - 1}: nothing found`)
})

test('some of them are right', () => {
  const { node } = outcomes(19, 0, 200, true)
  const whole = node as readonly { readonly kind: string; readonly outcome: readonly string[] }[]
  for (const door of ['exact', 'with null', 'any', 'config', 'process', 'resources']) {
    const said = whole.flatMap(({ outcome }) => outcome.filter((text) => text.startsWith(`${door}: `)))
    expect(said.filter((text) => !/^[\w ]+: (undefined|\w*Error)/.test(text)).length, door).toBeGreaterThan(1)
    if (door !== 'any') expect(said.filter((text) => /^[\w ]+: \w*Error/.test(text)).length, door).toBeGreaterThan(20)
  }
  const busy = whole.filter(({ kind }) => kind === 'bus').map(({ outcome }) => outcome[0] ?? '')
  expect(busy.filter((text) => text.startsWith('{')).length).toBeGreaterThan(3)
  expect(busy.filter((text) => text.startsWith('RangeError')).length).toBeGreaterThan(3)
})
