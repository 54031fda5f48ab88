import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { constants, gzipSync } from 'node:zlib'
import { describe, expect, test, vi } from 'vitest'
import { byteSource } from '../../src/layer/byte-source.ts'
import { decompress } from '../../src/layer/decompress.ts'
import { requires } from '../requirements.ts'
import { inPieces } from './rootfs-fixture.ts'

interface Result {
  readonly bytes: Buffer
  readonly warnings: string[]
  /** Bytes that are left for the caller to drain. */
  readonly left: number
}

async function run(blob: Buffer, size = 1000, hasDigest = false): Promise<Result> {
  const source = byteSource(inPieces(blob, size))
  const warnings: string[] = []
  const warn = (message: string) => warnings.push(message)
  const chunks: Buffer[] = []
  for await (const chunk of decompress(source, { warn, hasDigest })) chunks.push(chunk)
  let left = 0
  for (let piece = await source.next(); piece !== undefined; piece = await source.next()) left += piece.length
  return { bytes: Buffer.concat(chunks), warnings, left }
}

const quiet = { warn: () => {} }

/** Compressible and incompressible stretches, more than any buffer on the way. */
const content = Buffer.concat([Buffer.alloc(5_000_000, 'text '), randomBytes(3_000_000), Buffer.alloc(2_000_000)])

test.each([1000, 65_536, 10_000_000])('gzip in pieces of %i bytes', async (size) => {
  const { bytes, warnings, left } = await run(gzipSync(content), size)
  expect(bytes.equals(content)).toBe(true)
  expect({ warnings, left }).toEqual({ warnings: [], left: 0 })
})

test('uncompressed content is passed on unchanged, also when it is empty', async () => {
  expect((await run(content)).bytes.equals(content)).toBe(true)
  expect((await run(Buffer.alloc(0))).bytes).toHaveLength(0)
  expect((await run(Buffer.from('abc'))).bytes.toString()).toBe('abc')
})

test.each([1, 3, 1000])('members follow each other, NULs between and behind them (pieces of %i)', async (size) => {
  const blob = Buffer.concat([
    gzipSync('one,'),
    gzipSync('two,'),
    Buffer.alloc(5),
    gzipSync('three'),
    Buffer.alloc(600),
  ])
  const { bytes, warnings } = await run(blob, size)
  expect(bytes.toString()).toBe('one,two,three')
  expect(warnings).toEqual([])
})

test('a thousand small members, as in eStargz, with extra fields in their headers', async () => {
  const withExtra = (text: string): Buffer => {
    const member = gzipSync(text)
    const [start, end] = [member.subarray(0, 10), member.subarray(10)]
    start[3] = 4 | 8 | 16
    return Buffer.concat([start, Buffer.from('\x04\x00extraname\0comment\0'.replace('extra', 'extr')), end])
  }
  const blob = Buffer.concat(Array.from({ length: 1000 }, (_, i) => withExtra(`${i},`)))
  const { bytes } = await run(blob, 777)
  expect(bytes.toString().split(',')).toHaveLength(1001)
})

test.each(['garbage', '\x1f', 'x'.repeat(5000)])(
  'bytes behind the data that are not gzip: ignored, with a warning',
  async (junk) => {
    const { bytes, warnings, left } = await run(Buffer.concat([gzipSync('data'), Buffer.from(junk, 'latin1')]))
    expect(bytes.toString()).toBe('data')
    expect(warnings).toEqual([expect.stringMatching(/followed by bytes that are not gzip/)])
    expect(left).toBe(junk.length)
  },
)

const damaged = (change: (blob: Buffer) => Buffer): Buffer => change(gzipSync(content))
const flipped = (at: number): Buffer =>
  damaged((blob) => {
    const index = at < 0 ? blob.length + at : at
    blob[index] = (blob[index] ?? 0) ^ 0xff
    return blob
  })

test.each([
  ['cut off in the header', gzipSync('x').subarray(0, 5), /a missing end/],
  ['cut off in the data', damaged((blob) => blob.subarray(0, blob.length >> 1)), /a missing end/],
  ['cut off in the trailer', damaged((blob) => blob.subarray(0, -3)), /a missing end/],
  ['another method', flipped(2), /a damaged header/],
  ['a wrong checksum', flipped(-8), /a wrong checksum/],
  ['a wrong size', flipped(-1), /a wrong size/],
  [
    'a second member that is damaged',
    Buffer.concat([gzipSync('a'), Buffer.from([0x1f, 0x8b, 0xff])]),
    /missing|header/,
  ],
  ['data that is no deflate', Buffer.concat([gzipSync('').subarray(0, 10), Buffer.alloc(100, 0xff)]), /damaged data/],
])('gzip with %s is an error', async (_what, blob, message) => {
  await expect(run(blob)).rejects.toThrow(
    expect.objectContaining({ code: 'ERR_LAYER_INVALID', message: expect.stringMatching(message) }),
  )
})

test('the checksum of gzip is not verified only where the caller checks a digest', async () => {
  expect((await run(flipped(-8), 65_536, true)).bytes.equals(content)).toBe(true)
})

describe.each(['xz', 'bzip2'])('%s', (tool) => {
  const { test } = requires(tool)
  const pack = (bytes: Buffer): Buffer => execFileSync(tool, ['-c'], { input: bytes, maxBuffer: 2 ** 26 })

  test('its streams, one after the other, in pieces of any size', async () => {
    const blob = Buffer.concat([pack(content), pack(Buffer.from('more'))])
    for (const size of [1000, 10_000_000]) {
      const { bytes, left } = await run(blob, size)
      expect(bytes.equals(Buffer.concat([content, Buffer.from('more')]))).toBe(true)
      expect(left).toBe(0)
    }
  })

  test("damage and a missing end are errors with the tool's message", async () => {
    const blob = pack(content)
    const broken = Buffer.from(blob)
    broken.fill(0xff, 50_000, 50_100)
    for (const wrong of [broken, blob.subarray(0, -20)]) {
      await expect(run(wrong, 65_536)).rejects.toThrow(
        expect.objectContaining({
          code: 'ERR_LAYER_INVALID',
          message: expect.stringMatching(`${tool} stream with damaged data: [A-Z]`),
        }),
      )
    }
  })

  test('a reader that stops early leaves no process', async () => {
    const bytes = decompress(byteSource(inPieces(pack(content), 1000)), quiet)
    expect((await bytes.next()).done).toBe(false)
    await bytes.return(undefined)
    const pattern = `^${tool} --decompress`
    await expect.poll(() => spawnSync('pgrep', ['-P', String(process.pid), '-f', pattern]).status).toBe(1)
  })

  test('an error names the package to install when the tool is missing', async () => {
    vi.stubEnv('PATH', '/nonexistent')
    try {
      await expect(run(Buffer.from(tool === 'xz' ? '\xfd7zXZ\0' : 'BZh9', 'latin1'))).rejects.toThrow(
        expect.objectContaining({ code: 'ERR_NOT_SUPPORTED', hint: expect.stringMatching(/^install /) }),
      )
    } finally {
      vi.unstubAllEnvs()
    }
  })

  test('an error of the content is thrown unchanged', async () => {
    const error = new Error('connection lost')
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield pack(content).subarray(0, 100_000)
      throw error
    }
    const consume = async (): Promise<void> => {
      for await (const _ of decompress(byteSource(broken()), quiet));
    }
    await expect(consume()).rejects.toBe(error)
  })
})

test('an error of the content is thrown unchanged', async () => {
  const error = new Error('connection lost')
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield gzipSync(content).subarray(0, 100_000)
    throw error
  }
  const consume = async (): Promise<void> => {
    for await (const _ of decompress(byteSource(broken()), quiet));
  }
  await expect(consume()).rejects.toBe(error)
})

test('stored blocks and the fastest level are read as well', async () => {
  for (const level of [constants.Z_NO_COMPRESSION, constants.Z_BEST_SPEED]) {
    expect((await run(gzipSync(content, { level }), 65_536)).bytes.equals(content)).toBe(true)
  }
})
