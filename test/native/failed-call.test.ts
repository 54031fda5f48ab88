import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openFlags, resolveKind, resource } from '../../src/program/flags.ts'
import { op, type Step } from '../../src/program/program.ts'
import { syscallName } from '../../src/runtime/syscall-names.ts'
import { childProgram, execute, hostProgram } from './runner.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'failed-call-'))
  mkdirSync(join(directory, 'there'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const path = (name: string): string => join(directory, name)
/** A call that fails, and whose name no later error may have. */
const earlier = (): Step => op('mkdir', { at: null, path: path('there'), mode: 0o755 }, '', 'EEXIST')
const root = (): Step => op('open', { to: 'root', at: null, path: directory, flags: openFlags.PATH })

function callOfFailure(...steps: readonly Step[]): string {
  const [report] = execute(hostProgram(earlier(), ...steps)).reports
  expect(report?.kind).toBe('failed')
  return `${report?.call}: ${report?.error}`
}

test('a write that takes only a part is reported as write', () => {
  const write = { at: null, path: path('file'), content: 'x'.repeat(20), flags: openFlags.CREAT, mode: 0o600 }
  expect(
    callOfFailure(op('prlimit', { resource: resource.RLIMIT_FSIZE, soft: 10, hard: 10 }), op('write_file', write)),
  ).toBe('write: EIO')
  expect(readFileSync(path('file'), 'utf8')).toBe('x'.repeat(10))
})

test('the call that failed is reported, also where one before it was tolerated and one after it succeeds', () => {
  expect(callOfFailure(op('open', { to: 'x', at: null, path: path('none'), flags: openFlags.RDONLY }))).toBe(
    'openat: ENOENT',
  )
  expect(callOfFailure(op('unlink', { at: null, path: directory }))).toBe('unlinkat: EISDIR')
})

test('an error that a step finds itself is reported as that of no call', () => {
  writeFileSync(path('state'), 'FROZEN\n')
  const frozen = op('expect_not', { path: path('state'), content: 'FROZEN', unlessMade: 0 })
  expect(callOfFailure(frozen)).toBe('none: EBUSY')
  const relative = { to: 'x', root: 'root', path: 'a/b', kind: resolveKind.DIRECTORY, mode: 0o755 }
  expect(callOfFailure(root(), op('resolve', relative))).toBe('none: EINVAL')
  expect(callOfFailure(op('connect', { to: 'x', path: path('s'.repeat(200)) }))).toBe('none: ENAMETOOLONG')
})

test('a process that is gone is reported by the read that found it', () => {
  const program = childProgram(0, op('sync_wait', { barrier: 1 }))
  const [clone] = program.host
  if (clone === undefined) throw new Error('there is a clone')
  const child = [op('execve', { argv: [], env: [] })]
  const { reports } = execute({ ...program, host: [clone, { ...clone, ...op('sync_wait', { barrier: 1 }) }], child })
  expect(reports.map(({ kind, call, error }) => `${kind} ${call}: ${error}`)).toEqual(['failed read: EPIPE'])
})

test('every system call that can fail a step has its name by its number, on each architecture', () => {
  const native = join(import.meta.dirname, '../../native')
  const text = readdirSync(native, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.[ch]$/.test(file))
    .map((file) => readFileSync(join(native, file), 'utf8'))
  const made = text.flatMap((file) => [...file.matchAll(/\bsys\((\w+)|\bCALL\(\w+, \d+, \([^)]*\), (\w+)/g)])
  const names = [...new Set(made.map(([, direct, described]) => direct ?? described ?? ''))].filter(
    (name) => name !== 'name', // of macros
  )
  expect(names.length).toBeGreaterThan(80)
  for (const [arch, header] of [
    ['x64', 'asm/unistd_64.h'],
    ['arm64', 'asm-generic/unistd.h'],
  ] as const) {
    const source = `#define __BITS_PER_LONG 64\n#include <${header}>\n${names.map((name) => `=${name} __NR_${name}\n`).join('')}`
    const numbers = execFileSync('cc', ['-E', '-P', '-'], { input: source, encoding: 'utf8' })
    const wanted = [...numbers.matchAll(/^=(\w+) (\d+)$/gm)].map(([, name = '', number]) => ({
      number: Number(number),
      name,
    }))
    expect(wanted.length).toBeGreaterThan(80)
    expect(wanted.filter(({ number, name }) => syscallName(number, arch) !== name)).toEqual([])
  }
})
