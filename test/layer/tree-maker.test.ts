import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { requires } from '../requirements.ts'
import { createFixture, type Fixture, inPieces, listing } from './rootfs-fixture.ts'
import { directory, file, header, pax, symlink, tar } from './tar/builder.ts'

let fixture: Fixture

beforeEach(() => {
  fixture = createFixture({ isPrivileged: true })
})
afterEach(() => fixture.remove())

const at = (name: string): string => join(fixture.rootfs, name)
const whole = randomBytes(40_000_003)

/** The processes that make files for this one. */
const makers = (): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(fixture.rootfs)
      } catch {
        return false // the process has ended meanwhile
      }
    })

test.each([30_000, 100_001, 5_000_000])(
  'more data than the memory between the processes holds, in pieces of %i bytes',
  async (size) => {
    const many = Array.from({ length: 1000 }, (_, i) => file(`d/f${i}`, `${i}`))
    const big = file('big', whole.toString('latin1'), { mode: 0o4755, uid: 7, gid: 8, mtime: 9 })
    await fixture.builder.apply(inPieces(tar(directory('d', { mode: 0o711, mtime: 1000 }), ...many, big), size))
    await fixture.builder.apply(inPieces(gzipSync(tar(file('.wh.d'), file('late', ''), symlink('l', 'big'))), size))
    await fixture.builder.finish()
    expect(readdirSync(fixture.rootfs).sort()).toEqual(['big', 'l', 'late'])
    expect(readFileSync(at('big')).equals(whole)).toBe(true)
    const { mode, uid, gid, mtimeMs } = lstatSync(at('big'))
    expect({ mode: mode & 0o7777, uid, gid, mtimeMs }).toEqual({ mode: 0o4755, uid: 7, gid: 8, mtimeMs: 9000 })
  },
)

test('attributes of many small files are each their own', async () => {
  const names = Array.from({ length: 500 }, (_, i) => `f${i}`)
  await fixture.build(tar(...names.map((name, i) => file(name, name, { mode: 0o600 + (i % 64), uid: i, mtime: i }))))
  for (const [i, name] of names.entries()) {
    const { mode, uid, mtimeMs } = lstatSync(at(name))
    expect([readFileSync(at(name), 'utf8'), mode & 0o7777, uid, mtimeMs]).toEqual([name, 0o600 + (i % 64), i, 1000 * i])
  }
})

test('times before the epoch and parts of seconds are exact, of files and of links', async () => {
  const times = [pax({ mtime: '1.000000001' }), file('a', '1'), pax({ mtime: '-2.5' }), symlink('s', 'a')]
  await fixture.build(tar(...times, pax({ mtime: '5000000000.25' }), file('late', '')))
  const time = (name: string) => lstatSync(at(name), { bigint: true }).mtimeNs
  expect(['a', 's', 'late'].map(time)).toEqual([1_000_000_001n, -2_500_000_000n, 5_000_000_000_250_000_000n])
})

test('an error of the archive comes before those of files behind it', async () => {
  const layer = tar(file('a', '1'), header({ name: 'b', type: '1', linkName: 'nothing' }), file('c', 'x'.repeat(9e6)))
  await expect(fixture.builder.apply(inPieces(layer, 1e6), { name: 'top' })).rejects.toMatchObject({
    code: 'ERR_LAYER_INVALID',
    message: 'layer top: entry "b" is a hard link to "nothing", which does not exist',
  })
  await expect(fixture.builder.finish()).rejects.toThrow('broken')
})

test('a builder that is closed in the middle leaves no process', async () => {
  await fixture.builder.apply(inPieces(tar(file('a', ''))))
  expect(makers()).toHaveLength(1)
  await fixture.builder.close()
  expect(makers()).toEqual([])
  await expect(fixture.builder.apply(inPieces(tar()))).rejects.toThrow('broken')
})

test('a process that is killed in the middle is an error', async () => {
  async function* content() {
    const layer = tar(file('a', 'x'.repeat(2_000_000)))
    yield layer.subarray(0, 1_000_000)
    for (const pid of makers()) process.kill(Number(pid), 'SIGKILL')
    yield layer.subarray(1_000_000)
  }
  await expect(fixture.builder.apply(content())).rejects.toMatchObject({
    code: 'ERR_RUNNER_MISSING',
    message: 'layer 1: the runner ended with SIGKILL while it made files',
  })
})

test('signals of a terminal do not end the process: whoever has started it decides', async () => {
  async function* content() {
    const layer = tar(file('a', 'x'.repeat(2_000_000)))
    yield layer.subarray(0, 1_000_000)
    for (const pid of makers()) for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.kill(Number(pid), signal)
    yield layer.subarray(1_000_000)
  }
  await fixture.builder.apply(content())
  await fixture.builder.finish()
  expect(lstatSync(at('a')).size).toBe(2_000_000)
})

requires('root').test('a full disk names the file that it has no room for, and no file stays open', async () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', fixture.rootfs])
  try {
    // The process has opened the directory beneath the mount; another one begins in it.
    await fixture.builder.close()
    const inMount = createFixture({ isPrivileged: true }, fixture.rootfs)
    const others = Array.from({ length: 600 }, (_, i) => file(`f${i}`, 'x'))
    const layer = tar(file('little', 'x'), file('large', 'x'.repeat(8e6)), ...others)
    await expect(inMount.builder.apply(inPieces(layer, 1e5), { name: 'top' })).rejects.toMatchObject({
      code: 'ERR_FILE_SYSTEM',
      message: 'layer top: entry "large": write: no space left on device (ENOSPC)',
      hint: expect.stringContaining('free some space'),
    })
    await inMount.remove()
    expect(openBelow(fixture.rootfs)).toEqual([])
  } finally {
    execFileSync('umount', [fixture.rootfs])
  }
})

test('a name that appears in the rootfs meanwhile is an error, and nothing is written through it', async () => {
  async function* content() {
    yield* inPieces(tar(file('a', 'x')).subarray(0, 1024))
    execFileSync('ln', ['-s', join(fixture.top, 'canary'), at('b')])
    yield* inPieces(tar(file('b', 'evil')))
  }
  await expect(fixture.builder.apply(content())).rejects.toMatchObject({
    code: 'ERR_FILE_SYSTEM',
    message: 'layer 1: entry "b": open: file already exists (EEXIST)',
  })
  expect(readFileSync(join(fixture.top, 'canary'), 'utf8')).toBe('untouched')
})

test('a directory that becomes a symlink meanwhile is an error, and nothing is made behind it', async () => {
  async function* content() {
    yield* inPieces(tar(directory('d'), file('e', '')).subarray(0, 1024))
    execFileSync('sh', ['-c', 'rmdir "$1"/d; ln -s ../rootfs-evil "$1"/d', 'sh', fixture.rootfs])
    yield* inPieces(tar(file('d/f', 'evil')))
  }
  await expect(fixture.builder.apply(content())).rejects.toMatchObject({
    code: 'ERR_FILE_SYSTEM',
    message: expect.stringMatching(/^layer 1: entry "d\/f": open.*ELOOP/),
  })
  expect(listing(join(fixture.top, 'rootfs-evil'))).toEqual([])
})

function openBelow(top: string): string[] {
  const open = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      return [] // closed meanwhile, as is the descriptor of the directory itself
    }
  })
  return open.filter((path) => path.startsWith(top))
}
