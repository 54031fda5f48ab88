import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ApplyNodeOps } from '../../../src/program/node-op.ts'
import { requires } from '../../requirements.ts'
import { createFixture, type Fixture, inPieces, listing } from '../rootfs-fixture.ts'
import { directory, file, header, pax, symlink, tar } from '../tar/builder.ts'

let fixture: Fixture

const make = (applyNodeOps?: ApplyNodeOps) =>
  createFixture({ isThreaded: true, isPrivileged: true, ...(applyNodeOps !== undefined && { applyNodeOps }) })

beforeEach(() => {
  fixture = make()
})
afterEach(async () => {
  await fixture.builder.close()
  fixture.remove()
})

const steps = ({ ops }: Fixture) => ops.map(({ kind, path }) => `${kind} ${Buffer.from(path)}`)

const whole = randomBytes(5_000_003)
const layers = [
  tar(
    directory('d', { mode: 0o711, mtime: 1000 }),
    file('d/big', whole.toString('latin1'), { mode: 0o4755, mtime: 2000 }),
    symlink('link', 'd/big'),
    header({ name: 'null', type: '3', major: 1, minor: 3 }),
    file('gone', 'x'),
  ),
  gzipSync(tar(file('.wh.gone'), file('twice', '1'), file('twice', '2'), pax({ mtime: '1.5' }), file('late', ''))),
]

test('a thread makes the same tree, requests the same operations and gives the same warnings', async () => {
  const alone = createFixture({ isPrivileged: true })
  try {
    await alone.build(...layers)
    await fixture.build(...layers)
    expect(listing(fixture.rootfs)).toEqual(listing(alone.rootfs))
    expect(steps(fixture)).toEqual(steps(alone))
    expect(steps(fixture)).toContain('mknod null')
    expect(fixture.warnings).toEqual(alone.warnings)
    expect(fixture.warnings).toHaveLength(1)
    expect(readFileSync(join(fixture.rootfs, 'd/big')).equals(whole)).toBe(true)
    expect(lstatSync(join(fixture.rootfs, 'd/big')).mode & 0o7777).toBe(0o4755)
  } finally {
    await alone.builder.close()
    alone.remove()
  }
})

test('diffID, size and entries are those of the layer', async () => {
  const layer = tar(file('a', 'b'))
  const diffID = `sha256:${createHash('sha256').update(layer).digest('hex')}`
  expect(await fixture.builder.apply(inPieces(layer), { diffID })).toEqual({ diffID, size: layer.length, entries: 1 })
})

test('a failed write in the thread ends the layer, with the entry and the path in the error', async () => {
  const layer = tar(file('a', '1'), header({ name: 'b', type: '1', linkName: 'nothing' }), file('c', 'x'.repeat(9e6)))
  await expect(fixture.builder.apply(inPieces(layer, 1e6), { name: 'top' })).rejects.toThrow(
    expect.objectContaining({
      code: 'ERR_LAYER_INVALID',
      message: 'layer top: entry "b" is a hard link to "nothing", which does not exist',
    }),
  )
  await expect(fixture.builder.finish()).rejects.toThrow('broken')
})

test('the error of a failed operation comes back to the thread unchanged', async () => {
  await fixture.builder.close()
  fixture.remove()
  const cause = Object.assign(new Error('no'), { code: 'EOPNOTSUPP', syscall: 'setxattr' })
  fixture = make(async () => {
    throw new Error('refused', { cause })
  })
  // The file system does not support these attributes: that is a warning, which only the cause's code tells from an
  // error.
  await fixture.build(tar(pax({ 'SCHILY.xattr.user.a': 'b' }), file('f', '')))
  expect(fixture.warnings).toEqual(['extended attributes "user.*" are left out: the file system does not support them'])
})

test('a builder that is closed in the middle leaves no thread', async () => {
  await fixture.builder.apply(inPieces(tar(file('a', ''))))
  await fixture.builder.close()
  await expect(fixture.builder.apply(inPieces(tar()))).rejects.toThrow('broken')
})

test('more files than may be open at a time, and a file in many chunks, are written', async () => {
  const many = Array.from({ length: 3000 }, (_, i) => file(`f${i}`, `${i}`, { mode: i % 2 ? 0o2755 : 0o600, mtime: i }))
  const alone = createFixture({ isPrivileged: true })
  try {
    const layer = tar(...many, file('big', whole.toString('latin1'), { uid: 7, gid: 8, mtime: 9 }))
    for (const { builder } of [alone, fixture]) {
      await builder.apply(inPieces(layer, 100_001))
      await builder.finish()
    }
    expect(listing(fixture.rootfs)).toEqual(listing(alone.rootfs))
    expect(readFileSync(join(fixture.rootfs, 'f2999'), 'utf8')).toBe('2999')
    expect(readFileSync(join(fixture.rootfs, 'big')).equals(whole)).toBe(true)
  } finally {
    await alone.builder.close()
    alone.remove()
  }
})

requires('root').test('a full disk names the file that it has no room for, and no file stays open', async () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', fixture.rootfs])
  try {
    const others = Array.from({ length: 600 }, (_, i) => file(`f${i}`, 'x'))
    const layer = tar(file('little', 'x'), file('large', 'x'.repeat(8e6)), ...others)
    await expect(fixture.builder.apply(inPieces(layer, 1e5), { name: 'top' })).rejects.toMatchObject({
      code: 'ERR_FILE_SYSTEM',
      message: 'layer top: entry "large": write: no space left on device (ENOSPC)',
      hint: expect.stringContaining('free some space'),
    })
    await fixture.builder.close()
    expect(openBelow(fixture.rootfs)).toEqual([])
  } finally {
    execFileSync('umount', [fixture.rootfs])
  }
})

function openBelow(directory: string): string[] {
  const open = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      return [] // closed meanwhile, as is the descriptor of the directory itself
    }
  })
  return open.filter((path) => path.startsWith(directory))
}
