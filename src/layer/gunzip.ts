import type { TransformOptions } from 'node:stream'
import type { ZlibOptions } from 'node:zlib'
import { crc32, createInflateRaw, type InflateRaw } from 'node:zlib'

import { OciError } from '../errors.ts'
import type { ByteSource } from './byte-source.ts'

/** Node.js's default of 16 KiB takes twice as long: each output buffer is a task of the thread pool. */
const outputBytes = 512 * 1024
/** Input is gathered to this size, for the same reason. */
const inputBytes = 256 * 1024
/** Extra field, name and comment of one header; real ones are far below. */
const maxHeaderBytes = 256 * 1024

/**
 * Uncompresses gzip, inflating on the thread pool while the reader works on the piece before.
 *
 * Members may follow each other (eStargz is made of thousands), with NULs between and after them. Anything else after a
 * member is reported to `warn` and left in `source`. Node.js's own Gunzip throws on that, and loses the data before it.
 * @throws OciError `ERR_LAYER_INVALID` damaged or cut off, or a checksum is wrong
 * @see RFC 1952
 */
export async function* gunzip(source: ByteSource, warn: (message: string) => void): AsyncGenerator<Buffer> {
  do {
    await readHeader(source)
    yield* inflateMember(source)
  } while (await isAtMember(source, warn))
}

async function isAtMember(source: ByteSource, warn: (message: string) => void): Promise<boolean> {
  for (;;) {
    const piece = await source.next()
    if (piece === undefined) return false
    const start = piece.findIndex((byte) => byte !== 0)
    if (start === -1) continue
    source.unread(piece.subarray(start))
    const magic = await source.take(2)
    source.unread(magic)
    if (magic[0] === 0x1f && magic[1] === 0x8b) return true
    warn('the compressed layer is followed by bytes that are not gzip; they are ignored')
    return false
  }
}

/** Reads to the first byte of compressed data. */
async function readHeader(source: ByteSource): Promise<void> {
  const fixed = await exactly(source, 10)
  if (fixed[0] !== 0x1f || fixed[1] !== 0x8b || fixed[2] !== 8) throw invalid('a damaged header')
  const flags = fixed[3] ?? 0
  if ((flags & 4) !== 0) await exactly(source, (await exactly(source, 2)).readUInt16LE())
  if ((flags & 8) !== 0) await skipString(source)
  if ((flags & 16) !== 0) await skipString(source)
  if ((flags & 2) !== 0) await exactly(source, 2)
}

async function skipString(source: ByteSource): Promise<void> {
  for (let length = 0; length < maxHeaderBytes; ) {
    const piece = await source.next()
    if (piece === undefined) throw cutOff()
    const nul = piece.indexOf(0)
    if (nul !== -1) return source.unread(piece.subarray(nul + 1))
    length += piece.length
  }
  throw new OciError('ERR_LIMIT_EXCEEDED', `gzip header of more than ${maxHeaderBytes} bytes`)
}

async function* inflateMember(source: ByteSource): AsyncGenerator<Buffer> {
  const options: ZlibOptions & TransformOptions = { chunkSize: outputBytes, highWaterMark: 2 * outputBytes }
  const inflate = createInflateRaw(options)
  const feeding = feed(source, inflate)
  let checksum = 0
  let size = 0
  try {
    for await (const chunk of inflate as AsyncIterable<Buffer>) {
      checksum = crc32(chunk, checksum)
      size += chunk.length
      yield chunk
    }
  } catch (error) {
    throw isZlibError(error) ? damaged(error) : error
  } finally {
    source.unread(await feeding.stop())
  }
  const trailer = await exactly(source, 8)
  if (trailer.readUInt32LE(0) !== checksum) throw invalid('a wrong checksum')
  if (trailer.readUInt32LE(4) !== size % 2 ** 32) throw invalid('a wrong size')
}

/** Writes `source` into `inflate` until that is done; `stop` then gives what it did not use. */
function feed(source: ByteSource, inflate: InflateRaw): { stop(): Promise<Buffer> } {
  let written: Buffer[] = []
  let writtenBytes = 0
  let isStopped = false
  const closed = new Promise<void>((resolve) => inflate.once('close', resolve))

  async function run(): Promise<void> {
    while (!isStopped) {
      const input = await gather(source)
      if (input === undefined) {
        inflate.end()
        return
      }
      written.push(input)
      writtenBytes += input.length
      if (isStopped) return
      if (!inflate.write(input)) {
        await Promise.race([new Promise<void>((resolve) => inflate.once('drain', resolve)), closed])
      }
      while (writtenBytes - inflate.bytesWritten < total(written.slice(1))) written.shift()
    }
  }

  const running = run().catch((error: unknown) => {
    inflate.destroy(error instanceof Error ? error : new Error(String(error)))
  })

  async function stop(): Promise<Buffer> {
    isStopped = true
    inflate.destroy()
    await running
    const all = Buffer.concat(written)
    written = []
    return all.subarray(all.length - (writtenBytes - inflate.bytesWritten))
  }

  return { stop }
}

const total = (buffers: readonly Buffer[]): number => buffers.reduce((sum, buffer) => sum + buffer.length, 0)

async function gather(source: ByteSource): Promise<Buffer | undefined> {
  const first = await source.next()
  if (first === undefined || first.length >= inputBytes / 2) return first
  const rest = await source.take(inputBytes - first.length)
  return Buffer.concat([first, rest])
}

async function exactly(source: ByteSource, length: number): Promise<Buffer> {
  const bytes = await source.take(length)
  if (bytes.length < length) throw cutOff()
  return bytes
}

const isZlibError = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && /^Z_/.test(String(error.code))

const damaged = (cause: Error & { code?: unknown }): OciError =>
  cause.code === 'Z_BUF_ERROR' ? cutOff() : invalid(`damaged data: ${cause.message}`)

const cutOff = (): OciError => invalid('its end missing')

const invalid = (what: string): OciError => new OciError('ERR_LAYER_INVALID', `gzip stream with ${what}`)
