import { OciError } from '../errors.ts'
import type { ByteSource } from './byte-source.ts'
import { type GunzipOptions, gunzip } from './gunzip.ts'
import { unzstd } from './unzstd.ts'

/** Compressions told by their first bytes. What is none of them is taken for a plain tar. */
const magics: readonly { readonly name: string; readonly bytes: readonly number[] }[] = [
  { name: 'gzip', bytes: [0x1f, 0x8b] },
  { name: 'zstd', bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: 'xz', bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { name: 'bzip2', bytes: [0x42, 0x5a, 0x68] },
]

/**
 * Uncompresses a layer blob; its first bytes say how, whatever its media type claims.
 *
 * What follows the compressed data is left in `source`, for the caller to drain.
 * @param warn told about bytes that are ignored
 * @param hasDigest whether the caller checks a digest of everything that comes out; checksums are then left to that
 * @throws OciError `ERR_LAYER_INVALID` damaged, `ERR_NOT_SUPPORTED` another compression
 */
export async function* decompress(
  source: ByteSource,
  warn: (message: string) => void,
  hasDigest = false,
): AsyncGenerator<Buffer> {
  yield* uncompressed(source, await compressionOf(source), { warn, hasDigest })
}

async function compressionOf(source: ByteSource): Promise<string> {
  const start = await source.take(6)
  source.unread(start)
  return magics.find(({ bytes }) => bytes.every((byte, at) => start[at] === byte))?.name ?? 'none'
}

function uncompressed(
  source: ByteSource,
  compression: string,
  { warn, hasDigest }: GunzipOptions,
): AsyncIterable<Buffer> {
  switch (compression) {
    case 'none':
      return pieces(source)
    case 'gzip':
      return gunzip(source, { warn, hasDigest })
    case 'zstd':
      return unzstd(source)
    default:
      throw new OciError(
        'ERR_NOT_SUPPORTED',
        `the layer is compressed with ${compression}; gzip and zstd are supported`,
        { hint: `uncompress it first, as in "${compression} -dc FILE | bundle-tool unpack rootfs:- --out BUNDLE"` },
      )
  }
}

async function* pieces(source: ByteSource): AsyncGenerator<Buffer> {
  for (let piece = await source.next(); piece !== undefined; piece = await source.next()) yield piece
}
