import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { byteSource } from '../../src/layer/byte-source.ts'
import { decompress } from '../../src/layer/decompress.ts'
import { unzstdInJavaScript } from '../../src/layer/unzstd.ts'
import { requires } from '../requirements.ts'

const { test } = requires('zstd')

const compress = (content: Uint8Array, ...flags: string[]): Buffer =>
  execFileSync('zstd', ['-qc', ...flags], { input: content, maxBuffer: 1 << 28 })

async function* inPieces(content: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size)
}

async function collect(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** The decoders: the one of this Node.js, and the one for a Node.js without zstd. */
const decoders = {
  decompress: (content: Uint8Array, size: number) =>
    decompress(byteSource(inPieces(content, size)), { warn: () => {} }),
  unzstdInJavaScript: (content: Uint8Array, size: number) => unzstdInJavaScript(byteSource(inPieces(content, size))),
}

const text = Buffer.from(Array.from({ length: 200_000 }, (_, index) => `line ${index % 977}\n`).join(''))
const mixed = Buffer.concat([text, randomBytes(300_000), text])

test.each(Object.entries(decoders))(
  '%s: levels, windows and pieces of any size give the same bytes',
  async (_, run) => {
    for (const flags of [['-1'], ['-19', '--long=27'], ['--no-check']]) {
      for (const size of [1 << 20, 65_537, 13]) {
        expect(mixed.equals(await collect(run(compress(mixed, ...flags), size)))).toBe(true)
      }
    }
  },
)

test.each(Object.entries(decoders))(
  '%s: frames follow each other, with skippable ones between (zstd:chunked)',
  async (_, run) => {
    const skippable = Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 5, 0, 0, 0]), Buffer.from('table')])
    const frames = [compress(text.subarray(0, 1000)), skippable, compress(text.subarray(1000)), skippable]
    expect(text.equals(await collect(run(Buffer.concat(frames), 4096)))).toBe(true)
  },
)

test.each(Object.entries(decoders))('%s: a skippable frame comes first (pzstd), of any size', async (name, run) => {
  const frames = [compress(text.subarray(0, 1000)), compress(text.subarray(1000))]
  for (const [magic, size] of [
    [0x50, 0],
    [0x50, 4],
    [0x5f, 70_000],
  ] as const) {
    const header = Buffer.from([magic, 0x2a, 0x4d, 0x18, 0, 0, 0, 0])
    header.writeUInt32LE(size, 4)
    for (const pieces of [13, 1 << 20]) {
      const got = await collect(run(Buffer.concat([header, Buffer.alloc(size, 1), ...frames]), pieces))
      expect(text.equals(got), `${name} ${size} ${pieces}`).toBe(true)
    }
  }
})

requires('pzstd').test('what pzstd writes is read', async () => {
  const written = execFileSync('pzstd', ['-qc', '-p', '2'], { input: mixed, maxBuffer: 1 << 28 })
  expect(written.subarray(0, 4).toString('hex')).toBe('502a4d18')
  for (const run of Object.values(decoders)) expect(mixed.equals(await collect(run(written, 65_537)))).toBe(true)
})

test('a stream that is cut off or damaged is an invalid layer', async () => {
  const good = compress(mixed)
  const damaged = Buffer.from(good)
  damaged.fill(0xff, 200, 260)
  for (const content of [good.subarray(0, -300), damaged]) {
    await expect(collect(decoders.decompress(content, 65_536))).rejects.toMatchObject({ code: 'ERR_LAYER_INVALID' })
  }
})

test('a bomb does not fill the memory before its reader sees it', async () => {
  const bomb = compress(Buffer.alloc(256 * 1024 * 1024), '-19')
  let size = 0
  let largest = 0
  for await (const chunk of unzstdInJavaScript(byteSource(inPieces(bomb, 1 << 20)))) {
    size += chunk.length
    largest = Math.max(largest, chunk.length)
    if (size > 64 * 1024 * 1024) break
  }
  expect(bomb.length).toBeLessThan(64 * 1024)
  expect(largest).toBeLessThanOrEqual(32 * 1024 * 1024)
})
