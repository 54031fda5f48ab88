import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openFlags } from '../../src/program/flags.ts'
import { op, type Step } from '../../src/program/program.ts'
import { requires } from '../requirements.ts'
import { execute, expectDone, expectFailure, hostProgram } from './runner.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'file-ops-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const path = (name: string): string => join(directory, name)
const at = (): Step => op('open', { to: 'dir', at: null, path: directory, flags: openFlags.PATH | openFlags.DIRECTORY })
const createNew = openFlags.CREAT | openFlags.EXCL
const asRoot = requires('root').test

test('open fills a slot that later steps work in, and fails when there is no such file', () => {
  expectDone(hostProgram(at(), op('mkdir', { at: 'dir', path: 'made', mode: 0o700 })))
  expect(statSync(path('made')).isDirectory()).toBe(true)
  expectFailure(
    hostProgram(op('open', { to: 'x', at: null, path: path('missing'), flags: openFlags.RDONLY })),
    'open',
    'ENOENT',
  )
})

test('open into a slot that is in use closes what was there', () => {
  const opens = Array.from({ length: 2000 }, () => at())
  expectDone(hostProgram(...opens))
})

test('close empties the slot: what follows fails with EBADF or works in the current directory', () => {
  expectDone(hostProgram(at(), op('close', { slot: 'dir' })))
  expectFailure(hostProgram(at(), op('close', { slot: 'dir' }), op('close', { slot: 'dir' })), 'close', 'EBADF')
})

test('mkdir makes exactly the mode, whatever the umask of the caller', () => {
  expectDone(hostProgram(op('mkdir', { at: null, path: path('d'), mode: 0o777 })))
  expect(statSync(path('d')).mode & 0o7777).toBe(0o777)
  expectFailure(hostProgram(op('mkdir', { at: null, path: path('d'), mode: 0o755 })), 'mkdir', 'EEXIST')
  expectDone(hostProgram(op('mkdir', { at: null, path: path('d'), mode: 0o755 }, '', 'EEXIST')))
})

test('an error that a step tolerates is another one than those it does not', () => {
  expectFailure(hostProgram(op('mkdir', { at: null, path: path('a/b'), mode: 0o755 }, '', 'EEXIST')), 'mkdir', 'ENOENT')
})

test('rmdir and unlink remove, and fail on what is not there', () => {
  mkdirSync(path('d'))
  writeFileSync(path('f'), '')
  expectDone(hostProgram(op('rmdir', { at: null, path: path('d') }), op('unlink', { at: null, path: path('f') })))
  expect(existsSync(path('d')) || existsSync(path('f'))).toBe(false)
  expectFailure(hostProgram(op('rmdir', { at: null, path: path('d') })), 'rmdir', 'ENOENT')
  expectFailure(hostProgram(op('unlink', { at: null, path: directory })), 'unlink', 'EISDIR')
})

test('rename replaces its target', () => {
  writeFileSync(path('from'), 'new')
  writeFileSync(path('to'), 'old')
  expectDone(hostProgram(at(), op('rename', { at: 'dir', from: 'from', to: 'to' })))
  expect(readFileSync(path('to'), 'utf8')).toBe('new')
  expectFailure(hostProgram(at(), op('rename', { at: 'dir', from: 'from', to: 'to' })), 'rename', 'ENOENT')
})

test('mknod makes a FIFO with its mode', () => {
  const fifo = op('mknod', { at: null, path: path('fifo'), mode: 0o010622, major: 0, minor: 0 })
  expectDone(hostProgram(fifo))
  expect(lstatSync(path('fifo')).mode).toBe(0o010622)
  expectFailure(hostProgram(fifo), 'mknod', 'EEXIST')
})

asRoot.each([
  [1, 3],
  [4095, 1048575],
  [259, 300],
])('mknod makes the device %i:%i', (major, minor) => {
  expectDone(hostProgram(op('mknod', { at: null, path: path('dev'), mode: 0o020600, major, minor })))
  expect(execFileSync('stat', ['-c', '%t:%T', path('dev')], { encoding: 'utf8' }).trim()).toBe(
    `${major.toString(16)}:${minor.toString(16)}`,
  )
})

asRoot('chown changes a link, not what it leads to, and with an empty path the descriptor itself', () => {
  writeFileSync(path('file'), '')
  symlinkSync('file', path('link'))
  expectDone(
    hostProgram(
      at(),
      op('chown', { at: 'dir', path: 'link', uid: 12, gid: 34 }),
      op('chown', { at: 'dir', path: '', uid: 56, gid: 78 }),
    ),
  )
  expect(lstatSync(path('link'))).toMatchObject({ uid: 12, gid: 34 })
  expect(lstatSync(path('file'))).toMatchObject({ uid: 0, gid: 0 })
  expect(lstatSync(directory)).toMatchObject({ uid: 56, gid: 78 })
  expectFailure(hostProgram(at(), op('chown', { at: 'dir', path: 'no', uid: 0, gid: 0 })), 'chown', 'ENOENT')
})

test('symlink stores its target as it is', () => {
  const step = op('symlink', { target: '/proc/self/fd/../x', at: 'dir', path: 'link' })
  expectDone(hostProgram(at(), step))
  expect(readlinkSync(path('link'))).toBe('/proc/self/fd/../x')
  expectFailure(hostProgram(at(), step), 'symlink', 'EEXIST')
})

test('write_lines writes each line by itself, into a file that is there and no link', () => {
  const program = (name: string, lines: readonly string[]) =>
    hostProgram(op('write_lines', { path: path(name), lines }))
  writeFileSync(path('rules'), 'xxxxxxx')
  expectDone(program('rules', ['a', 'c 1:3', 'b']))
  expect(readFileSync(path('rules'), 'utf8')).toBe('ac 1:3b')
  expectDone(program('rules', []))
  expectFailure(program('missing', ['a']), 'write_lines', 'ENOENT')
  symlinkSync('rules', path('link'))
  expectFailure(program('link', ['a']), 'write_lines', 'ELOOP')
  expectFailure(hostProgram(op('write_lines', { path: '/dev/full', lines: ['a', 'b'] })), 'write_lines', 'ENOSPC')
})

test('write_file writes all of the content, with registers filled in', () => {
  const content = ['id=', { register: 'id' as const }, ' \x01 pid=', { register: 'pid' as const }]
  expectDone(hostProgram(op('write_file', { at: null, path: path('f'), content, flags: createNew, mode: 0o640 })), {
    id: 'some-id',
  })
  expect(readFileSync(path('f'), 'utf8')).toBe('id=some-id \x01 pid=0')
  expect(statSync(path('f')).mode & 0o7777).toBe(0o640)
})

test('a register may stand in a path, at its longest', () => {
  const id = 'x'.repeat(255)
  expectDone(hostProgram(at(), op('mkdir', { at: 'dir', path: [{ register: 'id' }], mode: 0o755 })), { id })
  expect(existsSync(path(id))).toBe(true)
})

test('write_file takes a large content in one piece', () => {
  const content = 'y'.repeat(3_000_000)
  expectDone(hostProgram(op('write_file', { at: null, path: path('f'), content, flags: createNew, mode: 0o600 })))
  expect(readFileSync(path('f'), 'utf8')).toBe(content)
})

test('write_file follows no symbolic link and replaces nothing that must be new', () => {
  writeFileSync(path('victim'), 'keep')
  symlinkSync('victim', path('link'))
  const write = (name: string, flags: number): Step =>
    op('write_file', { at: null, path: path(name), content: 'x', flags, mode: 0o600 })
  expectFailure(hostProgram(write('link', openFlags.WRONLY)), 'write_file', 'ELOOP')
  expectFailure(hostProgram(write('victim', createNew)), 'write_file', 'EEXIST')
  expect(readFileSync(path('victim'), 'utf8')).toBe('keep')
})

test('utimens sets both times to the nanosecond, on the link itself', () => {
  writeFileSync(path('file'), '')
  symlinkSync('file', path('link'))
  const before = lstatSync(path('file'), { bigint: true }).mtimeNs
  const step = (name: string): Step => op('utimens', { at: 'dir', path: name, seconds: -5n, nanoseconds: 123_456_789 })
  expectDone(hostProgram(at(), step('link')))
  expect(lstatSync(path('link'), { bigint: true })).toMatchObject({
    mtimeNs: -4_876_543_211n,
    atimeNs: -4_876_543_211n,
  })
  expect(lstatSync(path('file'), { bigint: true }).mtimeNs).toBe(before)
  expectFailure(hostProgram(at(), step('missing')), 'utimens', 'ENOENT')
})

const throughLink: [string, () => Step][] = [
  ['utimens', () => op('utimens', { at: 'dir', path: 'link/file', seconds: 0, nanoseconds: 0 })],
  ['setxattr', () => op('setxattr', { at: 'dir', path: 'link/file', name: 'user.x', value: Uint8Array.of(1) })],
  ['list_xattrs', () => op('list_xattrs', { at: 'dir', path: 'link/file', to: 'dir' })],
  ['make_node', () => op('make_node', { at: 'dir', path: 'link/new', mode: 0o010600, uid: 0, gid: 0, device: 0 })],
]
test.each(throughLink)('%s does not go through a symbolic link in its path', (name, step) => {
  mkdirSync(path('real'))
  writeFileSync(path('real/file'), '')
  symlinkSync('real', path('link'))
  expectFailure(hostProgram(at(), step()), name as 'utimens', 'ELOOP')
  expect(existsSync(path('real/new'))).toBe(false)
})

test.each(throughLink)('%s does not leave its directory by "..", whatever it is given', (name, step) => {
  const inside = step()
  const outside = { ...inside, operands: { ...inside.operands, path: '../../etc/x' } }
  expectFailure(hostProgram(at(), outside), name as 'utimens', 'EXDEV')
})

requires('root', 'getfattr').test('setxattr keeps binary values', () => {
  writeFileSync(path('file'), '')
  const value = Uint8Array.of(0, 1, 255, 0)
  const set = (name: string, bytes: Uint8Array): Step => op('setxattr', { at: 'dir', path: 'file', name, value: bytes })
  expectDone(hostProgram(at(), set('trusted.binary', value)))
  const shown = execFileSync('getfattr', ['--absolute-names', '-n', 'trusted.binary', '-e', 'hex', path('file')], {
    encoding: 'utf8',
  })
  expect(shown).toContain('trusted.binary=0x0001ff00')
  expectFailure(hostProgram(at(), set('nonsense', value)), 'setxattr', 'ENOTSUP')
})

requires('root').test('list_xattrs writes names and values, and an empty list for a file without any', () => {
  writeFileSync(path('file'), '')
  symlinkSync('file', path('link'))
  const value = Uint8Array.of(0, 255, 0)
  const list = (name: string): Step => op('list_xattrs', { at: 'dir', path: name, to: 'out' })
  const flags = openFlags.WRONLY | openFlags.CREAT
  expectDone(
    hostProgram(
      at(),
      op('open', { to: 'out', at: null, path: path('out'), flags }),
      op('setxattr', { at: 'dir', path: 'file', name: 'trusted.a', value }),
      op('setxattr', { at: 'dir', path: 'file', name: 'trusted.empty', value: new Uint8Array() }),
      list('file'),
      list('link'),
    ),
  )
  const attribute = (name: string, bytes: Uint8Array) =>
    Buffer.concat([Buffer.from(Uint32Array.of(name.length, bytes.length).buffer), Buffer.from(name), bytes])
  const [a, empty] = [attribute('trusted.a', value), attribute('trusted.empty', new Uint8Array())]
  const written = readFileSync(path('out'))
  const end = Buffer.alloc(8)
  const orders = [
    [a, empty],
    [empty, a],
  ].map((order) => Buffer.concat([...order, end, end]).toString('hex'))
  expect(orders).toContain(written.toString('hex'))
  expectFailure(
    hostProgram(at(), op('list_xattrs', { at: 'dir', path: 'missing', to: 'dir' })),
    'list_xattrs',
    'ENOENT',
  )
})

asRoot('make_node sets owner and the whole mode', () => {
  const device = (10n << 32n) | 229n
  const step = op('make_node', { at: 'dir', path: 'node', mode: 0o024755, uid: 7, gid: 8, device })
  expectDone(hostProgram(at(), step))
  expect(lstatSync(path('node'))).toMatchObject({ mode: 0o024755, uid: 7, gid: 8 })
  expectFailure(hostProgram(at(), step), 'make_node', 'EEXIST')
})

test('remove_directory removes the files of a directory and it, and no tree', () => {
  mkdirSync(path('d'))
  for (let index = 0; index < 300; index++) writeFileSync(path(`d/${'n'.repeat(50)}${index}`), '')
  const remove = op('remove_directory', { path: path('d') })
  expectDone(hostProgram(remove))
  expect(existsSync(path('d'))).toBe(false)
  expectFailure(hostProgram(remove), 'remove_directory', 'ENOENT')
  mkdirSync(path('d/e'), { recursive: true })
  expectFailure(hostProgram(remove), 'remove_directory', 'EISDIR')
})

test('remove_directory leaves state.json where it cannot remove all the rest', () => {
  const names = ['a', 'b', 'state.json', 'x', 'y']
  mkdirSync(path('d/tree'), { recursive: true })
  for (const name of names) writeFileSync(path(`d/${name}`), '')
  const remove = op('remove_directory', { path: path('d') })
  expectFailure(hostProgram(remove), 'remove_directory', 'EISDIR')
  expect(readdirSync(path('d'))).toContain('state.json')
  rmdirSync(path('d/tree'))
  expectDone(hostProgram(remove))
  expect(existsSync(path('d'))).toBe(false)
})

test('remove_directory does not follow a link', () => {
  mkdirSync(path('real'))
  writeFileSync(path('real/file'), '')
  symlinkSync('real', path('link'))
  expectFailure(hostProgram(op('remove_directory', { path: path('link') })), 'remove_directory', 'ENOTDIR')
  expect(existsSync(path('real/file'))).toBe(true)
})

test('a program that fails reports the first step that did, and runs nothing after it', () => {
  const program = hostProgram(
    op('mkdir', { at: null, path: path('one'), mode: 0o755 }),
    op('rmdir', { at: null, path: path('missing') }),
    op('mkdir', { at: null, path: path('two'), mode: 0o755 }),
  )
  const { reports } = execute(program)
  expect(reports[0]).toMatchObject({ kind: 'failed', step: 1, error: 'ENOENT' })
  expect([existsSync(path('one')), existsSync(path('two'))]).toEqual([true, false])
})

test("an unreadable directory fails with the kernel's word for it", () => {
  mkdirSync(path('closed'))
  chmodSync(path('closed'), 0o600)
  expectFailure(hostProgram(op('open', { to: 'x', at: null, path: path('closed/f/'), flags: 0 })), 'open', 'ENOENT')
})

test('expect_link fails unless there is a link with this target', () => {
  symlinkSync('here', path('link'))
  writeFileSync(path('file'), '')
  const expectLink = (name: string, target: string) => op('expect_link', { at: null, path: path(name), target })
  expectDone(hostProgram(expectLink('link', 'here')))
  for (const target of ['her', 'here2', 'Here']) {
    expectFailure(hostProgram(expectLink('link', target)), 'expect_link', 'EEXIST')
  }
  expectFailure(hostProgram(expectLink('file', 'here')), 'expect_link', 'EEXIST')
  expectFailure(hostProgram(expectLink('missing', 'here')), 'expect_link', 'ENOENT')
})
