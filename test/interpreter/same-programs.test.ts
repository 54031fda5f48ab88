import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { requires } from '../requirements.ts'
import { collidingKeys } from './colliding-keys.ts'
import { type Compiled, CompilePlace, cpuSecondsOfChildren, plainConfig } from './compiled.ts'
import { randomNumbers } from './random.ts'

const { test } = requires('root', 'interpreter')
const withProfile = requires('root', 'interpreter', '/usr/share/containers/seccomp.json')

/** How many mutated configurations are compiled. */
const mutations = Number(process.env.COMPILED_CONFIGS ?? 150)

let place: CompilePlace
beforeAll(() => {
  place = new CompilePlace()
})
afterAll(() => place.close())

/** Both compilers give the same message, or none, say the same, and keep the same. */
function expectSame(
  args: readonly string[],
  options: Parameters<CompilePlace['compile']>[2] = {},
  label = '',
): Compiled {
  const byNode = place.compile('node', args, options)
  expect(place.compile('interpreter', args, options), label).toEqual(byNode)
  return byNode
}

const goldens = join(import.meta.dirname, '../../fixtures/programs')
const configs = readdirSync(goldens)
  .map((name) => [name, join(goldens, name, 'config.json')] as const)
  .filter(([, path]) => existsSync(path))

const calls: readonly (readonly string[])[] = [
  ['run', '--no-cache', 'demo'],
  ['create', '--pid-file', 'pid', 'demo'],
  ['run', '-d', '--keep', '--console-socket', 'console', 'demo'],
]

describe('the programs of the golden configurations are the same, byte for byte', () => {
  test.each(configs)('%s', (_, path) => {
    place.writeConfig(readFileSync(path))
    for (const args of calls) expectSame(args, {}, args.join(' '))
  })

  test('most of them have one', () => {
    const compiled = configs.filter(([, path]) => {
      place.writeConfig(readFileSync(path))
      return calls.some((args) => place.compile('interpreter', args).message !== '')
    })
    expect(compiled.length).toBeGreaterThan(0.6 * configs.length)
  })
})

describe('what is kept is the same, and each takes what the other has kept', () => {
  const profile = () => JSON.parse(readFileSync('/usr/share/containers/seccomp.json', 'utf8'))

  test('a program', () => {
    place.writeConfig(JSON.stringify(plainConfig()))
    const { kept, message } = expectSame(['run', 'demo'])
    expect(message).not.toBe('')
    expect(Object.keys(kept)).toEqual([expect.stringMatching(/^\.program-[\da-f]{16}$/)])
  })

  withProfile.test('a filter', () => {
    const { syscalls, defaultAction } = profile()
    const names: readonly string[] = syscalls.flatMap((rule: { readonly names: readonly string[] }) => rule.names)
    const plain = plainConfig()
    const seccomp = {
      defaultAction,
      architectures: ['SCMP_ARCH_X86_64'],
      syscalls: [{ names, action: 'SCMP_ACT_ALLOW' }],
    }
    place.writeConfig(JSON.stringify({ ...plain, linux: { ...(plain.linux as object), seccomp } }))
    const { message } = expectSame(['run', 'demo']) // makes the state root
    const { kept } = place.compile('interpreter', ['run', 'demo'], { keep: true })
    expect(Object.keys(kept)).toContainEqual(expect.stringMatching(/^\.filter-/))
    for (const compiler of ['node', 'interpreter', 'node'] as const) {
      expect(place.compile(compiler, ['run', 'demo'], { keep: true })).toMatchObject({ message, kept })
    }
  })
})

describe('generated', () => {
  const random = randomNumbers(19)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const values: readonly unknown[] = [
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e300,
    '',
    'text',
    'ä€😀',
    'a\0b',
    '\u202e',
    [],
    {},
    ['a'],
    [{}],
    { a: 'b' },
    'x'.repeat(9000),
    'SIGKILL',
    'CAP_SYS_ADMIN',
    '/proc',
    65_536,
    2 ** 31,
    '../..',
    '0',
  ]

  /** Changes one place of a document, deep or not: another value, none, one of another place, or twice as much of a list. */
  function mutate(document: unknown): unknown {
    const copy = structuredClone(document)
    let at = copy as Record<string, unknown>
    for (;;) {
      const keys = Object.keys(at)
      if (keys.length === 0) break
      const key = pick(keys)
      const inner = at[key]
      if (typeof inner === 'object' && inner !== null && random() < 0.8) {
        at = inner as Record<string, unknown>
        continue
      }
      const kind = random()
      if (kind < 0.2) delete at[key]
      else if (kind < 0.4 && Array.isArray(at)) at.push(...structuredClone(at))
      else at[key] = random() < 0.3 ? pick(Object.values(at)) : pick(values)
      break
    }
    return copy
  }

  test(`configurations: ${mutations} that are nearly right`, { timeout: 60_000 + mutations * 1000 }, () => {
    let compiled = 0
    for (let count = 0; count < mutations; count++) {
      const [name, path] = pick([...configs, ['plain', ''] as const])
      let config: unknown = path === '' ? plainConfig() : JSON.parse(readFileSync(path, 'utf8'))
      for (let changes = Math.floor(random() * 3) + 1; changes > 0; changes--) config = mutate(config)
      place.writeConfig(JSON.stringify(config))
      const { message } = expectSame(pick(calls), {}, `${count}: ${name} ${JSON.stringify(config)}`)
      if (message !== '') compiled++
    }
    expect(compiled).toBeGreaterThan(mutations / 20)
    expect(compiled).toBeLessThan(mutations)
  })

  test('calls: options, empty ones, and words that are no text', () => {
    place.writeConfig(JSON.stringify(plainConfig()))
    const words = [
      '--no-pivot',
      '--no-new-keyring',
      '--no-cache',
      '-d',
      '--keep',
      '--preserve-fds=1',
      '--pid-file',
      'pid',
      '--pid-file=/x/ä',
      '-b',
      '.',
    ]
    for (let count = 0; count < 40; count++) {
      const flags = Array.from({ length: Math.floor(random() * 4) }, () => pick(words))
      const env = pick([{}, { LISTEN_FDS: '1' }, { NOTIFY_SOCKET: '/run/notify' }, { XDG_RUNTIME_DIR: '/x' }])
      expectSame(
        [pick(['run', 'create']), ...flags, pick(['demo', 'a/b', '', 'x'.repeat(2000)])],
        { env },
        flags.join(' '),
      )
    }
  })
})

describe('hostile documents', () => {
  const deep = (depth: number, open = '[', close = ']') => open.repeat(depth) + close.repeat(depth)
  const withMember = (json: string) => `${JSON.stringify(plainConfig()).slice(0, -1)},"x":${json}}`
  const lone = Buffer.concat([Buffer.from('{"hostname":"'), Buffer.from([0xed, 0xa0, 0x80, 0xff]), Buffer.from('"}')])
  const documents: Readonly<Record<string, string | Uint8Array>> = {
    'no document': '',
    'white space': ' \n\t',
    'a mark at the beginning': '\ufeff{}',
    'lists in lists, 60,000 deep': deep(60_000),
    'lists in lists, 100,000 deep': deep(100_000),
    'nulls in what is deep': withMember(`[${deep(9000)},null]`),
    'nulls in what is too deep': withMember(`[${deep(60_000)},null]`),
    'as deep as may be': withMember(deep(9999)),
    'deeper than that': withMember(deep(10_000)),
    'lists in lists that nothing looks at': withMember(deep(30_000)),
    'objects in objects': withMember(deep(15_000, '{"a":', '}').replace(':}', ':1}')),
    'lists that are never closed': '['.repeat(128 * 1024),
    'numbers beyond 64 bits': withMember(
      '[18446744073709551616,-99999999999999999999999999999999,1e999,0.1e-400,9007199254740993]',
    ),
    'a limit beyond 64 bits': withMember('0').replace('"hard":1024', '"hard":18446744073709551616'),
    'a limit of 64 bits': withMember('0').replace('"hard":1024', '"hard":18446744073709551615'),
    'half a character, escaped': withMember('"\\ud800"'),
    'a whole one, escaped': withMember('"\\ud83d\\ude00"'),
    'half a character, as bytes': lone,
    'a NUL in a string': withMember('"\\u0000"'),
    'a line feed in a string': withMember('"\n"'),
    'keys of prototypes': withMember('{"__proto__":{"a":1},"constructor":2,"toString":3,"hasOwnProperty":4}'),
    'a prototype for everything': JSON.stringify(plainConfig()).replace('{', '{"__proto__":{"hostname":"other"},'),
    'the same key twice': JSON.stringify(plainConfig()).replace('{', '{"hostname":1,"hostname":"a",'),
    'keys that are numbers': withMember('{"2":1,"1":2,"01":3,"4294967295":4,"-1":5}'),
    'text behind it': `${JSON.stringify(plainConfig())} x`,
    'a comment': `/* */${JSON.stringify(plainConfig())}`,
    'numbers that are none': withMember('[01]'),
    'more of them': withMember('[+1]'),
    'a trailing comma': withMember('[1,]'),
    'a word that is none': withMember('[undefined]'),
    'a long string': withMember(JSON.stringify('ä'.repeat(30_000))),
    'many members': withMember(
      JSON.stringify(Object.fromEntries(Array.from({ length: 6000 }, (_, at) => [`key${at}`, at]))),
    ),
    'a hostname of many bytes': JSON.stringify({ ...plainConfig(), hostname: 'x'.repeat(20_000) }),
    'annotations that are long and alike': JSON.stringify({
      ...plainConfig(),
      annotations: Object.fromEntries(
        Array.from({ length: 20 }, (_, at) => [`${'k'.repeat(1000)}${at}`, 'v'.repeat(1000)]),
      ),
    }),
  }

  test.each(Object.entries(documents))('%s', (_, text) => {
    place.writeConfig(text)
    for (const args of calls) expectSame(args)
  })

  test('what is larger than any: members, brackets, digits', { timeout: 300_000 }, () => {
    const size = 4 << 20
    for (const text of [
      withMember(
        JSON.stringify(Object.fromEntries(Array.from({ length: size >> 5 }, (_, at) => [`k${at}`, `v${at}`]))),
      ),
      deep(size >> 1),
      withMember(`[${'9'.repeat(size)}]`),
      withMember(JSON.stringify('\u00e4'.repeat(size >> 1))),
      withMember(`[${'{"path":"/dev/null","type":"c"},'.repeat(size >> 5)}1]`),
    ]) {
      place.writeConfig(text)
      expectSame(['run', '--no-cache', 'demo'])
    }
    place.writeConfig(' '.repeat(64 << 20))
    expectSame(['run', '--no-cache', 'demo'])
  })

  /** A document with as many members of different names, and one with as many variables. */
  const withStrings = (names: readonly string[]): readonly string[] => {
    const config = plainConfig()
    const process = { ...(config.process as object), env: names.map((name) => `${name}=1`) }
    const members = JSON.stringify(Object.fromEntries(names.map((name) => [name, 1])))
    return [withMember(members), JSON.stringify({ ...config, process })]
  }

  test('strings that collide are refused where they are many, and do not take much longer than others', () => {
    const cpuOf = (text: string): number => {
      place.writeConfig(text)
      const before = cpuSecondsOfChildren()
      const { message, stderr } = place.compile('interpreter', ['run', '--no-cache', 'demo'])
      expect({ stderr, isCompiled: message !== '' }).toEqual({ stderr: '', isCompiled: true })
      return cpuSecondsOfChildren() - before
    }
    const count = 16_000
    const others = withStrings(Array.from({ length: count }, (_, at) => `a name that is as long as those ${at}`))
    for (const [at, text] of withStrings(collidingKeys(count)).entries())
      expect(cpuOf(text)).toBeLessThan(5 + cpuOf(others[at] ?? ''))
    for (const text of withStrings(collidingKeys(100_000))) {
      place.writeConfig(text)
      expectSame(['run', '--no-cache', 'demo'])
    }
  })
})
