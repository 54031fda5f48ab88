import { mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGzip, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { parseSize } from '../../src/cli/bundle-options.ts'
import { checkFreeSpace, type UnpackLimits } from '../../src/layer/limits.ts'
import { createFixture, type Fixture, listing } from './rootfs-fixture.ts'
import { directory, file, hardlink, header, pax, symlink, tar } from './tar/builder.ts'

async function withLimits(limits: UnpackLimits, use: (fixture: Fixture) => Promise<void>): Promise<void> {
  const fixture = createFixture({ limits })
  try {
    await use(fixture)
  } finally {
    fixture.remove()
  }
}

const limitExceeded = (message: RegExp) =>
  expect.objectContaining({ code: 'ERR_LIMIT_EXCEEDED', message: expect.stringMatching(message) })

test('the sizes of the files of all layers count together, including those that later layers remove', async () => {
  const layers = [tar(file('a', 'x'.repeat(600))), tar(file('.wh.a'), file('b', 'y'.repeat(400)))]
  await withLimits({ maxUnpackedSize: 1000 }, ({ build }) => build(...layers))
  await withLimits({ maxUnpackedSize: 999 }, async ({ build, builder, rootfs }) => {
    await expect(build(...layers)).rejects.toThrow(limitExceeded(/^layer 2: more than 999 bytes of files, with "b"$/))
    await builder.close() // until then files are made
    expect(listing(rootfs).filter((line) => line.startsWith('b'))).toEqual([])
  })
})

test('the holes of a sparse file count', async () => {
  const records = { 'GNU.sparse.map': '0,1', 'GNU.sparse.size': '1000000000000' }
  await withLimits({ maxUnpackedSize: 1e9 }, async ({ build }) => {
    await expect(build(tar(pax(records), file('hole', 'x')))).rejects.toThrow(
      limitExceeded(/more than 1000000000 bytes/),
    )
  })
})

test('files, links, directories and the directories that no entry made count', async () => {
  const layer = tar(directory('a'), file('a/b/c'), symlink('l', 'a'), hardlink('h', 'a/b/c'))
  await withLimits({ maxFiles: 5 }, ({ build }) => build(layer))
  await withLimits({ maxFiles: 4 }, async ({ build }) => {
    await expect(build(layer)).rejects.toThrow(limitExceeded(/more than 4 files/))
  })
})

test('an empty file written over and over again counts every time', async () => {
  await withLimits({ maxFiles: 100 }, async ({ build }) => {
    const layer = tar(...Array.from({ length: 101 }, () => file('same')))
    await expect(build(layer)).rejects.toThrow(limitExceeded(/more than 100 files/))
  })
})

/** Zeros after the end marker of an archive, which belong to no entry. */
async function* bomb(sizeBytes: number): AsyncGenerator<Uint8Array> {
  const gzip = createGzip({ level: 1 })
  gzip.write(tar(file('a', 'b')))
  const zeros = Buffer.alloc(16 * 1024 ** 2)
  for (let at = 0; at < sizeBytes; at += zeros.length) gzip.write(zeros)
  gzip.end()
  yield* gzip
}

test('a layer that inflates a thousandfold is refused past its first GiB', async () => {
  await withLimits({ maxRatio: 20 }, async ({ builder }) => {
    await expect(builder.apply(bomb(1.25 * 1024 ** 3))).rejects.toThrow(limitExceeded(/more than 20 to 1$/))
  })
})

test('a small layer that is compressed well is accepted', async () => {
  await withLimits({ maxRatio: 2 }, ({ build }) => build(gzipSync(tar(file('zeros', '\0'.repeat(1_000_000))))))
})

test('a file that is larger than the free space is refused before it is written', async () => {
  await withLimits({}, async ({ build, rootfs }) => {
    const records = { size: String(8 * 2 ** 40) }
    const built = build(Buffer.concat([pax(records), header({ name: 'huge' })]))
    const { bavail, bsize } = statfsSync(tmpdir())
    expect(bavail * bsize).toBeLessThan(8 * 2 ** 40)
    await expect(built).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_FILE_SYSTEM',
        message: expect.stringMatching(/entry "huge" needs 8796093022208 bytes/),
      }),
    )
    expect(readdirSync(rootfs)).toEqual([])
  })
})

test('free space is compared with what is needed', () => {
  const place = mkdtempSync(join(tmpdir(), 'space-'))
  checkFreeSpace(place, 1, 'one byte')
  expect(() => checkFreeSpace(place, 2 ** 50, 'the image')).toThrow(/^the image needs 1125899906842624 bytes, and/)
  rmSync(place, { recursive: true })
})

test.each([
  ['0', 0],
  ['1000', 1000],
  ['20G', 20 * 2 ** 30],
  ['1.5k', 1536],
  ['2MiB', 2 * 2 ** 20],
  ['1T', 2 ** 40],
])('the size %s is %i bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes)
})

test.each(['', 'G', '-1', '1E', '1e3', '99999999T'])('%j is no size', (text) => {
  expect(() => parseSize(text)).toThrow('it must be a number of bytes')
})
