import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test as plainTest } from 'vitest'
import { buildTool } from '../c-tool.ts'
import { requires } from '../requirements.ts'
import { filesOf } from './needs.ts'

/** The binary of the interpreter as a file, and what it has instead of a C library. */
const { test } = requires('interpreter')

const file = join(import.meta.dirname, '../../dist/bundle-tool-interpreter')
const mostBytes = 3_000_000

test('it takes at most three megabytes, and is linked without a C library', () => {
  const binary = readFileSync(file)
  expect(binary.length).toBeLessThanOrEqual(mostBytes)
  const [table, size, count] = [Number(binary.readBigUInt64LE(32)), binary.readUInt16LE(54), binary.readUInt16LE(56)]
  const kinds = Array.from({ length: count }, (_, at) => binary.readUInt32LE(table + at * size))
  const [interpreter, threadLocal] = [3, 7]
  expect(kinds).toContain(1)
  expect(kinds).not.toContain(interpreter)
  // A C library keeps errno there, and nothing here sets such a place up.
  expect(kinds).not.toContain(threadLocal)
})

describe('the command line', () => {
  const version = (before: readonly string[]) => {
    const [command = '', ...args] = [...before, file, 'boot.js', '--version']
    return spawnSync(command, args, { encoding: 'utf8' })
  }

  test.each([
    ['in 24 MB of addresses', ['sh', '-c', 'ulimit -v 24000; exec "$@"', 'sh']],
    ['with a small stack', ['sh', '-c', 'ulimit -s 256; exec "$@"', 'sh']],
    [
      'without large pages',
      [
        'python3',
        '-c',
        'import ctypes, os, sys; ctypes.CDLL(None).prctl(41, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])',
      ],
    ],
  ])('starts %s', (_, before) => {
    const { status, stdout, stderr } = version(before)
    expect({ status, stderr, stdout }).toEqual({ status: 0, stderr: '', stdout: version([]).stdout })
  })

  test('says that there is no memory', () => {
    const { signal, stderr } = version(['sh', '-c', 'ulimit -v 8000; exec "$@"', 'sh'])
    expect({ signal, stderr }).not.toEqual({ signal: null, stderr: '' })
  })
})

requires('interpreter', 'root', 'nsenter', 'unshare').test(
  'a directory of another mount namespace has its path',
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'interpreter-'))
    const script =
      'unshare -m sleep 30 & while ! grep -q sleep /proc/$!/comm; do sleep 0.01; done; nsenter --mount=/proc/$!/ns/mnt --wd=. "$@"; code=$?; kill $!; exit $code'
    try {
      const { status, stderr } = spawnSync('sh', ['-c', script, 'sh', file, 'boot.js', 'spec'], {
        cwd: directory,
        encoding: 'utf8',
      })
      expect({ status, stderr, files: readdirSync(directory) }).toEqual({
        status: 0,
        stderr: '',
        files: ['config.json'],
      })
    } finally {
      rmSync(directory, { recursive: true })
    }
  },
)

test('a damaged file is not executed', () => {
  const directory = mkdtempSync(join(tmpdir(), 'interpreter-'))
  try {
    const damaged = join(directory, 'interpreter')
    writeFileSync(damaged, readFileSync(file).fill(0, 2_500_000), { mode: 0o755 })
    const { signal, stderr } = spawnSync(damaged, ['boot.js', '--version'], { encoding: 'utf8' })
    expect(signal).toBe('SIGABRT')
    expect(stderr).toMatch(/^bundle-tool-interpreter: panicked .*\n.*\n? *.*the binary is not whole/)
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('no program asks for local times: the interpreter has none', async () => {
  const local =
    /\.(?:get|set)(?:Date|Day|FullYear|Hours|Milliseconds|Minutes|Month|Seconds|TimezoneOffset)\(|\.toLocale|DateTimeFormat/
  const files = await filesOf([
    'src/cli/process.ts',
    'src/cli/compiler.ts',
    'src/compile/seccomp/filter.ts',
    'src/runtime/systemd-manager.ts',
  ])
  expect(files.length).toBeGreaterThan(100)
  const found = files.filter((path) => local.test(readFileSync(join(import.meta.dirname, '../..', path), 'utf8')))
  expect(found).toEqual([])
})

describe('the functions of C', () => {
  const parts = buildTool(
    join(import.meta.dirname, 'c-parts.c'),
    '-O2',
    '-g',
    '-fsanitize=address,undefined',
    '-fno-sanitize-recover=all',
    '-fno-builtin',
    '-Wno-format-truncation',
    '-Wno-format',
  )

  plainTest('are those of the C library', () => {
    expect(spawnSync(parts(), [], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
  })
})
