import { pipeline } from 'node:stream'
import * as zlib from 'node:zlib'
import { OciError } from '../errors.ts'
import { type ByteSource, pieces } from './byte-source.ts'

/**
 * Bytes given to the JavaScript decoder at a time. A frame can hold a block of 128 KiB in four bytes, so at most 32 MiB
 * of output wait for the reader.
 */
const inputBytes = 1024

/**
 * Decompresses zstd frames one after the other: by Node.js from 22.15 on, and otherwise in JavaScript, which takes
 * about five times as long and leaves checksums to the caller's digest.
 * @throws OciError `ERR_LAYER_INVALID` damaged or cut off
 * @see RFC 8878
 */
export async function* unzstd(source: ByteSource): AsyncGenerator<Buffer> {
  const create = Reflect.get(zlib, 'createZstdDecompress')
  try {
    if (typeof create === 'function') yield* unzstdNatively(source, create())
    else yield* unzstdInJavaScript(source)
  } catch (error) {
    if (error instanceof OciError || !isDecodingError(error)) throw error
    throw new OciError('ERR_LAYER_INVALID', `zstd stream with damaged data: ${error.message}`, { cause: error })
  }
}

async function* unzstdNatively(source: ByteSource, decompressor: NodeJS.ReadWriteStream): AsyncGenerator<Buffer> {
  pipeline(pieces(source), decompressor, () => {})
  for await (const chunk of decompressor) yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk)
}

/** Decompresses like `unzstd`, in JavaScript, where Node.js has no zstd. */
export async function* unzstdInJavaScript(source: ByteSource): AsyncGenerator<Buffer> {
  const { Decompress } = await import('fzstd')
  const ready: Buffer[] = []
  const decoder = new Decompress((chunk) => {
    if (chunk.length > 0) ready.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length))
  })
  for await (const piece of pieces(source)) {
    for (let at = 0; at < piece.length; at += inputBytes) {
      decoder.push(piece.subarray(at, at + inputBytes))
      yield* ready.splice(0)
    }
  }
  decoder.push(new Uint8Array(0), true)
  yield* ready.splice(0)
}

/**
 * True for an error of a decoder: Node.js's have a code that begins with ZSTD_ or Z_, fzstd's a small number as code.
 */
const isDecodingError = (error: unknown): error is Error =>
  error instanceof Error &&
  'code' in error &&
  (typeof error.code === 'number' || /^(ZSTD_|Z_)/.test(String(error.code)))
