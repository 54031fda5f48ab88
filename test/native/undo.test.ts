import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openFlags } from '../../src/program/flags.ts'
import { op, type Program, type Step, undoable } from '../../src/program/program.ts'
import { execute, expectFailure, look } from './runner.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'undo-'))
})
afterEach(() => rmSync(directory, { recursive: true }))
const path = (name: string): string => join(directory, name)

const clone = undoable(op('clone', { flags: 0, cgroup: null }), op('kill_child', {}))
const supervise = undoable(op('supervise', { terminal: null, keep: 0, unheard: 0 }))
const wait = (barrier: number): Step => op('sync_wait', { barrier })

test('what the host steps did is undone in reverse, and no more than was done', () => {
  const log = path('log')
  const append = (word: string): Step =>
    op('write_file', { at: null, path: log, content: word, flags: openFlags.CREAT | openFlags.APPEND, mode: 0o600 })
  const program: Program = {
    host: [
      undoable(append('one '), append('un-one-first '), append('un-one-second ')),
      undoable(append('two '), append('un-two ')),
      undoable(op('rmdir', { at: null, path: path('missing') }), append('un-three ')),
      undoable(append('four '), append('un-four ')),
    ],
    stage: [],
    child: [],
  }
  expect(execute(program).end).toBe(1)
  expect(readFileSync(log, 'utf8')).toBe('one two un-two un-one-first un-one-second ')
})

test('an undo step that fails is reported, and the others still run', () => {
  mkdirSync(path('kept'))
  const remove = (name: string): Step => op('rmdir', { at: null, path: path(name) })
  const nothing = op('close', { slot: 'x' })
  const open = op('open', { to: 'x', at: null, path: '/', flags: openFlags.PATH })
  const program: Program = {
    host: [undoable(open, remove('kept')), undoable(nothing, remove('missing')), undoable(remove('missing'))],
    stage: [],
    child: [],
  }
  const { reports } = execute(program)
  expect(reports.map(({ kind, error }) => [kind, error])).toEqual([
    ['undo failed', 'ENOENT'],
    ['failed', 'ENOENT'],
  ])
  expect(existsSync(path('kept'))).toBe(false)
})

test('kill_child ends the child of a program that fails', () => {
  const program: Program = {
    host: [
      clone,
      undoable(
        op('write_file', {
          at: null,
          path: path('pid'),
          content: [{ register: 'pid' }],
          flags: openFlags.CREAT,
          mode: 0o600,
        }),
      ),
      undoable(op('rmdir', { at: null, path: path('missing') })),
    ],
    stage: [],
    child: look('exec sleep 1000'),
  }
  expectFailure(program, 'rmdir', 'ENOENT')
  expect(existsSync(`/proc/${readFileSync(path('pid'), 'utf8')}`)).toBe(false)
})

test('signals of a stopping runner end the wait for the child, and all is undone', () => {
  const program: Program = {
    host: [
      undoable(op('mkdir', { at: null, path: path('d'), mode: 0o755 }), op('rmdir', { at: null, path: path('d') })),
      clone,
      undoable(wait(1)),
      supervise,
    ],
    stage: [],
    child: [
      op('find_command', { name: '/bin/sh', path: '' }),
      op('execve', { argv: ['sh', '-c', 'kill -TERM $PPID; sleep 100'], env: ['PATH=/bin:/usr/bin'] }),
    ],
  }
  const { reports } = execute(program, { timeoutMs: 5000 })
  // The command closes the socket as it starts: the wait ends by the one or the other.
  expect(['EINTR', 'EPIPE']).toContain(reports[0]?.error)
  expect(existsSync(path('d'))).toBe(false)
})
