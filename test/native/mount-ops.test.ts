import { lstatSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { mountAttributes, mountFlags, openFlags, resolveKind, treeFlags } from '../../src/program/flags.ts'
import { op, type Program, type Step } from '../../src/program/program.ts'
import { requires } from '../requirements.ts'
import { expectDone, expectFailure, look, mountProgram } from './runner.ts'

const { test } = requires('root')

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mount-ops-'))
  mkdirSync(join(directory, 'root'))
})
afterEach(() => rmSync(directory, { recursive: true }))
const path = (name: string): string => join(directory, name)

const root = (): Step => op('open', { to: 'root', at: null, path: path('root'), flags: openFlags.PATH })
const resolve = (to: string, inRoot: string, kind: keyof typeof resolveKind, mode = 0o755): Step =>
  op('resolve', { to, root: 'root', path: inRoot, kind: resolveKind[kind], mode })
const tmpfs = (target: string | null, data: string | null = null, flags = 0): Step =>
  op('mount', { source: 'tmpfs', target, path: path('root'), type: 'tmpfs', flags, data })
const tree = (to: string, source: string, flags: number = treeFlags.CLONE): Step =>
  op('open_tree', { to, at: null, path: source, flags })
const setattr = (slot: string, change: { set?: number; clear?: number; flags?: number; propagation?: number }): Step =>
  op('mount_setattr', { slot, flags: 0, set: 0, clear: 0, propagation: 0, userns: null, ...change })
const attach = (from: string, to: string): Step => op('move_mount', { from, to, name: null, path: '' })
const mountinfo = (): readonly Step[] => look(`grep ${directory} /proc/self/mountinfo`)

test('resolve makes what is missing, with its mode, and files where it is to', () => {
  expectDone(mountProgram(root(), resolve('x', '/a/b/c', 'DIRECTORY', 0o700), resolve('y', '/d/e', 'FILE', 0o600)))
  for (const made of ['a', 'a/b', 'a/b/c']) expect(statSync(path(`root/${made}`)).mode).toBe(0o040700)
  expect(statSync(path('root/d')).mode).toBe(0o040755)
  expect(statSync(path('root/d/e')).mode).toBe(0o100600)
})

test('set_propagation changes the mount that a directory is in, and no other', () => {
  mkdirSync(path('root/a/b'), { recursive: true })
  const shareAll = op('mount', {
    source: null,
    target: null,
    path: '/',
    type: null,
    flags: mountFlags.SHARED | mountFlags.REC,
    data: null,
  })
  const program = (place: string): Program =>
    mountProgram(
      tmpfs(null),
      shareAll,
      op('open', { to: 'place', at: null, path: place, flags: openFlags.PATH }),
      op('set_propagation', { slot: 'place', flags: mountFlags.PRIVATE }),
      ...look(`awk '$5 == "/" || $5 == "${path('root')}" {sub(/:.*/, "", $7); print $7}' /proc/self/mountinfo`),
    )
  expect(expectDone(program(path('root')))).toBe('shared\n-\n')
  mkdirSync(path('outside'))
  expect(expectDone(program(path('outside')))).toMatch(/shared\n$/)
  writeFileSync(path('file'), '')
  expectFailure(program(path('file')), 'set_propagation', 'ENOTDIR')
})

const links: readonly (readonly [string, string, string])[] = [
  ['../../../../../../etc', '/link/new', 'root/etc/new'],
  ['/absolute/place', '/link/new', 'root/absolute/place/new'],
  ['relative', '/link', 'root/relative'],
  ['relative', '/link/new', 'root/relative/new'],
  ['.', '/link/new', 'root/new'],
]
test.each(links)('resolve follows a link to %s within the root: %s', (target, wanted, made) => {
  symlinkSync(target, path('root/link'))
  expectDone(mountProgram(root(), resolve('x', wanted, 'DIRECTORY')))
  expect(lstatSync(path(made)).isDirectory()).toBe(true)
})

test('resolve refuses loops, paths that are not absolute, and what is no ordinary directory', () => {
  symlinkSync('loop', path('root/loop'))
  symlinkSync('/tmp', path('root/link'))
  writeFileSync(path('root/file'), '')
  const failing = (inRoot: string, kind: keyof typeof resolveKind, error: string): unknown =>
    expectFailure(mountProgram(root(), resolve('x', inRoot, kind)), 'resolve', error)
  failing('/loop/x', 'DIRECTORY', 'ELOOP')
  failing('relative', 'DIRECTORY', 'EINVAL')
  failing(`/${'x/'.repeat(2100)}`, 'DIRECTORY', 'ENAMETOOLONG')
  failing('/missing', 'EXISTING', 'ENOENT')
  failing('/link', 'ORDINARY', 'ENOTDIR')
  failing('/file', 'ORDINARY', 'ENOTDIR')
  failing('/file/below', 'DIRECTORY', 'ENOTDIR')
})

test('mount mounts on a descriptor with flags and data', () => {
  const program = mountProgram(
    root(),
    resolve('target', '/m', 'DIRECTORY'),
    tmpfs('target', 'size=64k,mode=0700', mountFlags.NOSUID | mountFlags.NOEXEC),
    ...mountinfo(),
  )
  expect(expectDone(program)).toMatch(/root\/m rw,nosuid,noexec,relatime - tmpfs tmpfs rw,size=64k,mode=700\n$/)
  expectFailure(mountProgram(root(), tmpfs('root', 'nonsense=1')), 'mount', 'EINVAL')
})

test('open_tree, mount_setattr and move_mount make a bind mount that is read-only from the first moment', () => {
  mkdirSync(path('source'))
  const program = mountProgram(
    root(),
    tree('mount', path('source')),
    setattr('mount', { set: mountAttributes.RDONLY | mountAttributes.NOSUID }),
    attach('mount', 'root'),
    ...mountinfo(),
  )
  expect(expectDone(program)).toMatch(/\/source [^ ]*\/root ro,nosuid,/)
  expectFailure(mountProgram(tree('mount', path('missing'))), 'open_tree', 'ENOENT')
  expectFailure(mountProgram(tree('m', path('source')), setattr('m', { set: 1 << 30 })), 'mount_setattr', 'EINVAL')
  expectFailure(mountProgram(root(), attach('root', 'root')), 'move_mount', 'EINVAL')
})

test('mount_setattr sets the propagation, and reaches below only when it is recursive', () => {
  const program = (flags: number): Program =>
    mountProgram(
      root(),
      resolve('outer', '/o', 'DIRECTORY'),
      tmpfs('outer'),
      resolve('inner', '/o/i', 'DIRECTORY'),
      tmpfs('inner'),
      resolve('outer', '/o', 'EXISTING'),
      setattr('outer', { flags, set: mountAttributes.RDONLY, propagation: mountFlags.SHARED }),
      ...mountinfo(),
    )
  expect(expectDone(program(0))).toMatch(/\/o ro,.* shared:[\s\S]*\/o\/i rw,(?!.*shared)/)
  expect(expectDone(program(treeFlags.RECURSIVE))).toMatch(/\/o ro,.* shared:[\s\S]*\/o\/i ro,.* shared:/)
})

test('new_mount makes a detached filesystem with options and attributes', () => {
  const make = (options: readonly string[]): Step =>
    op('new_mount', { to: 'mount', type: 'tmpfs', options, attributes: mountAttributes.RDONLY })
  const program = mountProgram(root(), make(['size', '64k', 'mode', '0711']), attach('mount', 'root'), ...mountinfo())
  expect(expectDone(program)).toMatch(/\/root ro,.* - tmpfs [^ ]+ rw,size=64k,mode=711/)
  expectFailure(mountProgram(make(['nonsense', '1'])), 'new_mount', 'EINVAL')
  const unknown = op('new_mount', { to: 'm', type: 'no-such-filesystem', options: [], attributes: 0 })
  expectFailure(mountProgram(unknown), 'new_mount', 'ENODEV')
})

/** A root that can be changed to: a tmpfs with the machine's own directories for the commands. */
const usableRoot = (): readonly Step[] => [
  root(),
  tmpfs('root'),
  resolve('root', '/', 'EXISTING'),
  op('open', { to: 'root', at: null, path: path('root'), flags: openFlags.PATH }),
  ...['/usr', '/proc'].flatMap((shared) => [
    tree('mount', shared, treeFlags.CLONE | treeFlags.RECURSIVE),
    resolve('target', shared, 'DIRECTORY'),
    attach('mount', 'target'),
  ]),
  ...['bin', 'lib', 'lib64'].map((name) => op('symlink', { target: `usr/${name}`, at: 'root', path: name })),
]

test.each(['pivot_root', 'move_root', 'chroot'] as const)('%s makes the descriptor the root', (name) => {
  const changed = expectDone(mountProgram(...usableRoot(), op(name, { root: 'root' }), ...look('cd ..; pwd; ls')))
  expect(changed.trim().split('\n')).toEqual(['/', 'bin', 'lib', 'lib64', 'proc', 'usr'])
})

test('pivot_root and move_root leave nothing of the old root mounted', () => {
  const program = mountProgram(
    ...usableRoot(),
    op('pivot_root', { root: 'root' }),
    ...look('cut -d" " -f5 /proc/self/mountinfo'),
  )
  for (const line of expectDone(program).trim().split('\n')) expect(line).toMatch(/^\/($|usr|proc)/)
})

test.each([
  ['pivot_root', 'EINVAL'],
  ['move_root', 'EINVAL'],
] as const)('%s fails for a directory that is no mount', (name, error) => {
  const inside = op('mkdir', { at: null, path: path('root/sub'), mode: 0o755 })
  const sub = op('open', { to: 'sub', at: null, path: path('root/sub'), flags: openFlags.PATH })
  expectFailure(mountProgram(root(), tmpfs('root'), inside, sub, op(name, { root: 'sub' })), name, error)
})

test('chroot fails for what is no directory', () => {
  writeFileSync(path('file'), '')
  const file = op('open', { to: 'root', at: null, path: path('file'), flags: openFlags.PATH })
  expectFailure(mountProgram(file, op('chroot', { root: 'root' })), 'chroot', 'ENOTDIR')
})

test('mask hides files and directories, and says what is not there', () => {
  for (const name of ['one', 'two']) {
    mkdirSync(path(`root/${name}`))
    writeFileSync(path(`root/${name}/secret`), 'secret')
  }
  writeFileSync(path('root/file'), 'secret')
  const mask = (inRoot: string): Step => op('mask', { root: 'root', path: inRoot, file: 'null', directory: 'empty' })
  const prepared = [
    root(),
    op('open', { to: 'null', at: null, path: '/dev/null', flags: openFlags.PATH }),
    op('new_mount', { to: 'empty', type: 'tmpfs', options: [], attributes: mountAttributes.RDONLY }),
  ]
  const program = mountProgram(
    ...prepared,
    ...['/one', '/two', '/file'].map(mask),
    ...look(`cd ${path('root')}; ls one two; cat file; touch one/x 2>&1; stat -c %d one two`),
  )
  const [one, , two, touched, first, second] = expectDone(program).split('\n')
  expect([one, two]).toEqual(['one:', 'two:'])
  expect(touched).toContain('Read-only file system')
  expect(first).toBe(second)
  expectFailure(mountProgram(...prepared, mask('/missing')), 'mask', 'ENOENT')
})

test('readonly_path makes a path read-only; what is mounted below stays as it was, as under runc', () => {
  const program = mountProgram(
    root(),
    resolve('target', '/d/sub', 'DIRECTORY'),
    tmpfs('target'),
    op('readonly_path', { root: 'root', path: '/d' }),
    ...look(`touch ${path('root/d/x')} ${path('root/d/sub/x')} 2>&1; touch ${path('root/y')} && echo done`),
  )
  expect(expectDone(program).match(/Read-only|done/g)).toEqual(['Read-only', 'done'])
  expectFailure(mountProgram(root(), op('readonly_path', { root: 'root', path: '/no' })), 'readonly_path', 'ENOENT')
})

test('expect_device and expect_filesystem let only that pass', () => {
  const open = (file: string): Step => op('open', { to: 'x', at: null, path: file, flags: openFlags.PATH })
  const device = (minor: number, mode = 0o020000): Step => op('expect_device', { slot: 'x', mode, major: 1, minor })
  const filesystem = (magic: number): Step => op('expect_filesystem', { slot: 'x', magic })
  expectDone(mountProgram(open('/dev/null'), device(3)))
  expectFailure(mountProgram(open('/dev/null'), device(5)), 'expect_device', 'ENODEV')
  expectFailure(mountProgram(open('/dev/null'), device(3, 0o060000)), 'expect_device', 'ENODEV')
  expectFailure(mountProgram(open('/proc'), device(3)), 'expect_device', 'ENODEV')
  expectDone(mountProgram(open('/proc'), filesystem(0x9fa0)))
  expectFailure(mountProgram(open('/usr'), filesystem(0x9fa0)), 'expect_filesystem', 'EXDEV')
})
