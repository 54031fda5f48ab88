import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { front, script } from '../front/ways.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'python3', '/dev/full')

let place: ContainerPlace
beforeAll(() => {
  place = new ContainerPlace()
  place.configure('sleep 1000')
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
  mkdirSync(join(place.directory, 'empty'))
  writeFileSync(join(place.bundle, 'rootfs/large'), Buffer.alloc(4_000_000, 7))
})
afterAll(() => place.close())

/** Executes a command whose descriptor FD is a pipe that nobody reads. */
const broken = `
import os, signal, sys
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, int(sys.argv[1]))
if sys.argv[2] == 'default':
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
os.execv(sys.argv[3], sys.argv[3:])
`

/** Every command that prints data, of the container `demo` by its own ID. */
const commands: readonly (readonly string[])[] = [
  ['state', 'demo'],
  ['list'],
  ['list', '-q'],
  ['ps', 'demo'],
  ['events', '--stats', 'demo'],
  ['explain', '-b', 'bundle'],
  ['features'],
  ['stats', '--no-stream', 'demo'],
  ['inspect', `oci-archive:${join(import.meta.dirname, '../../fixtures/busybox.tar')}`],
  ['export', 'bundle'],
  ['--help'],
  ['run', '--help'],
  ['--version'],
]
const ofPlace = (args: readonly string[]) => args.flatMap((word) => (word === 'demo' ? [place.id] : word ? [word] : []))

const ways = { front: [front], 'Node.js': [process.execPath, script] }

describe.each(Object.entries(ways))('by %s', (_, words) => {
  const call = (before: readonly string[], args: readonly string[], redirections = '') =>
    spawnSync(
      '/bin/sh',
      ['-c', `exec "$@" ${redirections}`, 'sh', ...before, ...words, '--root', place.root, ...ofPlace(args)],
      {
        cwd: place.directory,
        encoding: 'utf8',
        timeout: 30_000,
      },
    )
  const python = (fd: number, disposition: 'default' | 'ignored') => ['python3', '-c', broken, String(fd), disposition]

  test.each(commands)('%s %s: nobody reads the output, and it ends by SIGPIPE without a word', (...args) => {
    for (const disposition of ['default', 'ignored'] as const) {
      const { signal, status, stderr } = call(python(1, disposition), args)
      // As a shell has it: the front may be the parent of what the signal ends.
      const end = signal === null ? status : 128 + constants.signals[signal]
      expect({ disposition, end, stderr }).toEqual({ disposition, end: 141, stderr: '' })
    }
  })

  test.each(commands)('%s %s: the output cannot be written, which is an error of one line', (...args) => {
    const { status, stderr } = call([], args, '>/dev/full')
    expect(stderr).toMatch(/^[^\n]*cannot write to standard output: ENOSPC[^\n]*\n$/)
    expect(status).toBe(1)
  })

  test('that an error cannot be said is no other error', () => {
    expect(call([], ['state', 'nope'], '2>/dev/full').status).toBe(1)
    expect(call(python(2, 'default'), ['state', 'nope'])).toMatchObject({ status: 1, signal: null })
    expect(call([], ['exec', 'demo', 'nope'], '2>/dev/full').status).toBe(255)
    expect(call([], ['inspect', '/nope'], '2>/dev/full').status).toBe(1)
  })

  test('a log that cannot be written is said, in words of runc, and changes nothing else', () => {
    const failed = /^Failed to write to log, \/dev\/full: ENOSPC[^\n]*\n/
    const logged = spawnSync(
      words[0] ?? '',
      [...words.slice(1), '--root', place.root, '--log', '/dev/full', 'state', 'nope'],
      {
        encoding: 'utf8',
      },
    )
    expect(logged.status).toBe(1)
    expect(logged.stderr).toMatch(failed)
    expect(logged.stderr.replace(failed, '')).toMatch(/^container does not exist: "nope"[^\n]*\n$/)
    const debugged = spawnSync(
      words[0] ?? '',
      [
        ...words.slice(1),
        '--root',
        place.root,
        '--debug',
        '--log',
        '/dev/full',
        'exec',
        place.id,
        'sh',
        '-c',
        'exit 5',
      ],
      { encoding: 'utf8' },
    )
    expect(debugged.status).toBe(5)
    expect(debugged.stderr).toMatch(failed)
  })
})
