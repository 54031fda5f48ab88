import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { mountAttributes, openFlags, treeFlags } from '../../src/program/flags.ts'
import { op, type Step, undoable } from '../../src/program/program.ts'
import { requires } from '../requirements.ts'
import { childProgram, expectDone, expectFailure, hostProgram, look, mountProgram } from './runner.ts'

const { test } = requires('root')

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bind-ops-'))
  mkdirSync(join(directory, 'root'))
})
afterEach(() => rmSync(directory, { recursive: true }))
const path = (name: string): string => join(directory, name)
const open = (to: string, name: string, flags: number = openFlags.PATH): Step =>
  op('open', { to, at: null, path: path(name), flags })

test('resolve_like makes a directory for a directory and a file for anything else', () => {
  writeFileSync(path('file'), '')
  const like = (inRoot: string, slot: string): Step =>
    op('resolve_like', { to: 'target', root: 'root', path: inRoot, like: slot })
  const slots = [open('root', 'root'), open('file', 'file'), open('directory', 'root')]
  expectDone(hostProgram(...slots, like('/a/b', 'directory'), like('/c/d', 'file')))
  expect(statSync(path('root/a/b')).isDirectory()).toBe(true)
  expect(statSync(path('root/c/d')).isFile()).toBe(true)
  expectFailure(hostProgram(...slots, like('/c/d/e', 'file')), 'resolve_like', 'ENOTDIR')
})

test('bind_flags sets and clears attributes of a detached mount', () => {
  const bind = (set: number): Step => op('bind_flags', { slot: 'mount', set, clear: 0, atLeast: 0 })
  const tree = op('open_tree', { to: 'mount', at: null, path: path('root'), flags: treeFlags.CLONE })
  const attach = op('move_mount', { from: 'mount', to: 'root', name: null, path: '' })
  const shown = look(`grep ${directory} /proc/self/mountinfo`)
  const program = mountProgram(open('root', 'root'), tree, bind(mountAttributes.NOEXEC), attach, ...shown)
  expect(expectDone(program)).toMatch(/ rw,noexec/)
  expectFailure(mountProgram(tree, bind(1 << 30)), 'bind_flags', 'EINVAL')
})

test('make_userns makes a namespace with these maps, and leaves no process', () => {
  const make = (uidMap: string): Step => op('make_userns', { to: 'ns', uidMap, gidMap: '0 200000 10\n' })
  const join = op('setns', { slot: 'ns', type: 0x10000000 })
  const program = childProgram(0, make('0 100000 10\n'), join, ...look('cat /proc/self/uid_map /proc/self/gid_map'))
  expect(expectDone(program).replace(/ +/g, ' ')).toBe(' 0 100000 10\n 0 200000 10\n')
  expectFailure(hostProgram(make('nonsense')), 'make_userns', 'EINVAL')
})

test('mount_tmpfs keeps the mode of a directory that is there, and makes one that is not', () => {
  mkdirSync(path('root/there'), { mode: 0o710 })
  const mount = (inRoot: string, data: string): Step =>
    op('mount_tmpfs', { root: 'root', path: inRoot, source: 'tmpfs', flags: 0, data })
  const shown = look(`cd ${path('root')}; stat -c '%a %n' there new; grep ' ${path('root/new')} ' /proc/self/mountinfo`)
  const lines = expectDone(
    mountProgram(open('root', 'root'), mount('/there', ''), mount('/new', 'size=64k'), ...shown),
  ).split('\n')
  expect(lines.slice(0, 2)).toEqual(['710 there', '1777 new'])
  expect(lines[2]).toContain('size=64k')
  expectFailure(mountProgram(open('root', 'root'), mount('/new', 'nonsense=1')), 'mount_tmpfs', 'EINVAL')
})

test('umount detaches a mount, and fails for what is none', () => {
  const tmpfs = { source: 'tmpfs', target: null, path: path('root'), type: 'tmpfs', flags: 0, data: null }
  const umount = op('umount', { path: path('root') })
  const shown = look(`grep -c ${directory} /proc/self/mountinfo || true`)
  expect(expectDone(mountProgram(op('mount', tmpfs), umount, ...shown))).toBe('0\n')
  expectFailure(mountProgram(umount), 'umount', 'EINVAL')
})

test('copy_tree copies files, links, owners, modes and times', () => {
  mkdirSync(path('from/sub'), { recursive: true })
  writeFileSync(path('from/sub/file'), 'content'.repeat(10_000), { mode: 0o640 })
  symlinkSync('sub/file', path('from/link'))
  utimesSync(path('from/sub/file'), 1, 2)
  utimesSync(path('from/sub'), 3, 4)
  const copy = op('copy_tree', { from: 'from', to: 'to' })
  expectDone(hostProgram(open('from', 'from'), open('to', 'root'), copy))
  expect(readFileSync(path('root/sub/file'), 'utf8')).toBe('content'.repeat(10_000))
  expect(readlinkSync(path('root/link'))).toBe('sub/file')
  expect(lstatSync(path('root/sub/file'))).toMatchObject({ mode: 0o100640, mtimeMs: 2000 })
  expect(lstatSync(path('root/sub')).mtimeMs).toBe(4000)
  expectFailure(hostProgram(open('from', 'from'), open('to', 'from/sub/file'), copy), 'copy_tree', 'ENOTDIR')
})

test('close_slots closes all but two, and open_pidfd is a descriptor of the process', () => {
  const slots = [open('one', 'root'), open('two', 'root'), open('three', 'root')]
  const keep = op('close_slots', { first: 'one', second: 'three' })
  expectDone(hostProgram(...slots, keep, op('close', { slot: 'one' }), op('close', { slot: 'three' })))
  expectFailure(hostProgram(...slots, keep, op('close', { slot: 'two' })), 'close', 'EBADF')
  expectDone({
    host: [
      undoable(op('clone', { flags: 0, cgroup: null }), op('kill_child', {})),
      undoable(op('open_pidfd', { to: 'pidfd' })),
      undoable(op('close', { slot: 'pidfd' })),
      undoable(op('supervise', { terminal: null, keep: 0, unheard: 0 })),
    ],
    stage: [],
    child: [],
  })
  expectFailure(hostProgram(op('open_pidfd', { to: 'pidfd' })), 'open_pidfd', 'EINVAL')
})
