import { type ByteSource, pieces } from './byte-source.ts'
import { decompressByTool } from './decompress-by-tool.ts'
import { type GunzipOptions, gunzip } from './gunzip.ts'
import { unzstd } from './unzstd.ts'

/** Compressions by their first bytes. Content that begins otherwise is taken for a plain tar. */
const magics = [
  { name: 'gzip', bytes: [0x1f, 0x8b] },
  { name: 'zstd', bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: 'xz', bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { name: 'bzip2', bytes: [0x42, 0x5a, 0x68] },
] as const

export type Compression = (typeof magics)[number]['name'] | 'none'

/** The number of bytes at the beginning of content that tell its compression. */
export const magicBytes = 6

/**
 * The compression of content that begins with `start`. A skippable frame, which pzstd writes first, is one of zstd.
 * @see RFC 8878 "Skippable Frames"
 */
export function compressionOf(start: Uint8Array): Compression {
  const isSkippable = ((start[0] ?? 0) & 0xf0) === 0x50 && start[1] === 0x2a && start[2] === 0x4d && start[3] === 0x18
  if (isSkippable) return 'zstd'
  return magics.find(({ bytes }) => bytes.every((byte, at) => start[at] === byte))?.name ?? 'none'
}

/**
 * Decompresses a layer blob. Its first bytes tell the compression, whatever its media type claims.
 *
 * Bytes after the compressed data are left in `source`, for the caller to drain.
 * @throws OciError `ERR_LAYER_INVALID` damaged; `ERR_NOT_SUPPORTED` the tool for this compression is not installed
 */
export async function* decompress(source: ByteSource, options: GunzipOptions): AsyncGenerator<Buffer> {
  const start = await source.take(magicBytes)
  source.unread(start)
  yield* uncompressed(source, compressionOf(start), options)
}

function uncompressed(source: ByteSource, compression: Compression, options: GunzipOptions): AsyncIterable<Buffer> {
  switch (compression) {
    case 'none':
      return pieces(source)
    case 'gzip':
      return gunzip(source, options)
    case 'zstd':
      return unzstd(source)
    case 'xz':
    case 'bzip2':
      return decompressByTool(source, compression)
  }
}
