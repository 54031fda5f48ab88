import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { guardKinds, keptMagic, recordVersion, structs, version } from '../../../src/program/contract.ts'
import { encode } from '../../../src/program/encode.ts'
import { aligned, layOut } from '../../../src/program/structs.ts'
import { handOverMessage } from '../../../src/runtime/compiled-call.ts'
import { compileGolden, goldenCases } from '../../compile/golden-cases.ts'
import { requires } from '../../requirements.ts'

/**
 * The runner's decoders under AddressSanitizer and UndefinedBehaviorSanitizer: no length of the input leads outside of it
 * (CVE-2021-43784).
 *
 * A run of the suite takes the golden programs, what the fuzzer has found worth keeping (fixtures/fuzz) and the same
 * mutations of them always. `npm run fuzz` goes on with libFuzzer (clang) for FUZZ_SECONDS, and keeps what is new there.
 */

const project = join(import.meta.dirname, '../../..')
const corpus = join(project, 'fixtures/fuzz')
const parts = [
  'runner/program.c',
  'front/guards.c',
  'front/handover.c',
  'front/process_text.c',
  'front/record.c',
  'system/file.c',
  'system/text.c',
  'system/sys.c',
].map((name) => join(project, 'native', name))
const sources = [join(import.meta.dirname, 'decoders.c'), ...parts]
const seconds = Number(process.env.FUZZ_SECONDS ?? '0')

let directory = ''
let seeds = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'decoders-'))
  seeds = join(directory, 'seeds')
  mkdirSync(seeds)
  const compiled = Object.keys(goldenCases).map((name) => [name, compileGolden(name)] as const)
  const programs = compiled.map(([name, program]) => [name, encode(program)] as const)
  for (const [name, image] of programs) writeFileSync(join(seeds, name), image)
  writeFileSync(join(seeds, 'kept'), keptFile(programs[0]?.[1] ?? new Uint8Array()))
  for (const [at, [name, program]] of compiled.entries()) {
    const message = handOverMessage({ program, id: name, cwd: at % 2 === 0 ? '/a' : undefined, keep: () => undefined })
    writeFileSync(join(seeds, `message-${name}`), Buffer.concat([Buffer.from('message\0'), message]))
  }
  writeFileSync(join(seeds, 'process'), String.raw`{"args":["sh","-c","echo \"a\u003e\n\\b\""],"cwd":"/"}`)
  writeFileSync(
    join(seeds, 'record'),
    `${recordVersion}\n4242\n77777\nksd\n/freezer/x/freezer.state\nTHAWED\nFROZEN\n/freezer/x/freezer.self_freezing\n1\nno\n"no"\n/cpu/x\n/memory/x\n\n{\n  "id": "x",\n  "b": 1\n}\n`,
  )
})
afterAll(() => rmSync(directory, { recursive: true }))

/** A program with a guard of each kind that has content, for the key "key": struct kept_header and struct guard of native/front/guards.c. */
function keptFile(image: Uint8Array): Buffer {
  const guards = [
    guard(guardKinds.key, 'key'),
    guard(guardKinds.content, 'what is in the file', 'what is in the file'),
    guard(
      guardKinds.mounts,
      '36 35 0:32 / /a rw shared:9 - cgroup cgroup rw,cpu\n37 35 0:33 / /b rw - tmpfs x rw\n',
      'cgroup\u00000:32 / /a rw - cgroup cgroup rw,cpu\n',
    ),
  ]
  const { size: headerBytes, at } = layOut(structs.kept_header)
  const head = Buffer.alloc(headerBytes)
  head.write(keptMagic, at.magic)
  const size = head.length + guards.reduce((sum, { length }) => sum + length, 0)
  head.writeUInt32LE(version, at.version)
  head.writeUInt32LE(guards.length, at.guards)
  head.writeUInt32LE(size, at.program)
  return Buffer.concat([head, ...guards, image])
}

function guard(kind: number, text: string, content = ''): Buffer {
  const { size, at } = layOut(structs.guard)
  const head = Buffer.alloc(size)
  head.writeUInt32LE(kind, at.kind)
  head.writeUInt32LE(text.length + 1, at.text)
  head.writeBigUInt64LE(BigInt(content.length), at.value)
  const padded = (bytes: string): Buffer => Buffer.concat([Buffer.from(bytes)], aligned(bytes.length, 8))
  return Buffer.concat([head, padded(`${text}\0`), padded(content)])
}

/** The C library's own memory functions are used, which the sanitizers watch; files that an input names are not opened. */
function compileDecoders(compiler: string, sanitizers: string, ...flags: readonly string[]): string {
  const output = join(directory, compiler)
  const common = [
    '-std=gnu11',
    '-ffreestanding',
    '-O1',
    '-g',
    '-fno-omit-frame-pointer',
    '-no-pie',
    `-I${join(project, 'native')}`,
  ]
  const link = ['-Wl,--wrap=open_regular', '-fno-sanitize-recover=all', `-fsanitize=${sanitizers}`]
  execFileSync(compiler, [...common, ...flags, ...link, '-o', output, ...sources], { stdio: 'inherit' })
  return output
}

const filesIn = (place: string): readonly string[] =>
  existsSync(place) ? readdirSync(place).map((name) => join(place, name)) : []

requires('gcc').test('neither the corpus nor a mutation of it makes a decoder leave its bounds', () => {
  const decoders = compileDecoders('gcc', 'address,undefined')
  const inputs = [...filesIn(seeds), ...filesIn(corpus)]
  const { status, stdout, stderr } = spawnSync(decoders, ['300', ...inputs], { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(Number(stdout)).toBe(300 * inputs.length)
})

if (seconds > 0) {
  requires('clang').test('libFuzzer finds nothing', { timeout: (seconds + 60) * 1000 }, () => {
    const fuzzer = compileDecoders('clang', 'fuzzer,address,undefined', '-DLIBFUZZER')
    const found = join(directory, 'found')
    mkdirSync(found)
    mkdirSync(corpus, { recursive: true })
    const limits = [`-max_total_time=${seconds}`, '-max_len=65536', '-timeout=10', '-rss_limit_mb=2048']
    const how = ['-print_final_stats=1', `-artifact_prefix=${project}/fuzz-`]
    const { status } = spawnSync('nice', [fuzzer, ...limits, ...how, found, corpus, seeds], { stdio: 'inherit' })
    expect(status).toBe(0)
    // Only what covers code that the corpus does not, as small as it comes.
    execFileSync(fuzzer, ['-merge=1', '-max_len=4096', corpus, seeds, found], { stdio: 'ignore' })
  })
}
