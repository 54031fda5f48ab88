import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { isSystemError, OciError } from '../errors.ts'
import { allocateChunk } from '../memory.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, digestAlgorithm, digestHex, digestOf } from '../oci/digest.ts'
import { isForeignLayer } from '../oci/media-types.ts'

/** Bytes per read: large enough that the cost per chunk is negligible. */
export const chunkBytes: number = 1024 * 1024

/** The path of a blob in an image layout. */
export function blobPath(layout: string, digest: Digest): string {
  return join(layout, 'blobs', digestAlgorithm(digest), digestHex(digest))
}

export const hashFor = (digest: Digest): Hash => createHash(digestAlgorithm(digest))

/**
 * The bytes of a blob in an image layout, which are verified only once the iteration has ended without an error.
 * @throws OciError `ERR_IMAGE_NOT_FOUND` the layout has no such blob; `ERR_DIGEST_MISMATCH`; `ERR_STORE_INVALID` the
 *   blob is a symlink or no regular file, which could make the process read any file of the host
 */
export async function* openBlobFile(layout: string, blob: Descriptor): AsyncGenerator<Uint8Array> {
  const file = await openRegular(blobPath(layout, blob.digest), blob)
  try {
    yield* verified(readChunks(file), blob)
  } finally {
    await file.close()
  }
}

/**
 * The bytes of a small blob in one buffer; `content` verifies them.
 * @throws OciError `ERR_LIMIT_EXCEEDED` the blob is larger than `limit` bytes
 */
export async function collectBlob(
  content: AsyncIterable<Uint8Array>,
  blob: Descriptor,
  limit: number,
): Promise<Buffer> {
  checkBlobSize(blob, limit)
  const chunks: Uint8Array[] = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Checks the size in a descriptor. @throws OciError `ERR_LIMIT_EXCEEDED` it is more than `limit` bytes */
export function checkBlobSize({ digest, size }: Descriptor, limit: number): void {
  if (size <= limit) return
  throw new OciError('ERR_LIMIT_EXCEEDED', `${digest} has ${size} bytes, more than the ${limit} allowed`)
}

/**
 * Passes bytes through, and throws at the end unless size and digest are exactly as described.
 *
 * The last chunk is yielded only after the check, so that a reader cannot take wrong bytes for a whole blob.
 * @throws OciError `ERR_DIGEST_MISMATCH`, at the first byte too many or at the end
 */
export async function* verified(content: AsyncIterable<Uint8Array>, blob: Descriptor): AsyncGenerator<Uint8Array> {
  const check = createBlobCheck(blob)
  let held: Uint8Array | undefined
  for await (const chunk of content) {
    check.update(chunk)
    if (held !== undefined) yield held
    held = chunk
  }
  check.finish()
  if (held !== undefined) yield held
}

/** Checks the bytes of a blob against its descriptor as they arrive. */
export interface BlobCheck {
  /** Bytes so far. */
  readonly size: number
  /** @throws OciError `ERR_DIGEST_MISMATCH` more bytes than described */
  update(chunk: Uint8Array): void
  /** Checks the whole blob after its last byte; may be called repeatedly. @throws OciError `ERR_DIGEST_MISMATCH` */
  finish(): void
}

export function createBlobCheck(blob: Descriptor): BlobCheck {
  const hash = hashFor(blob.digest)
  let size = 0
  let digest: Digest | undefined
  return {
    get size() {
      return size
    },
    update(chunk) {
      if (chunk.byteLength === 0) return
      if (size + chunk.byteLength > blob.size) throw mismatch(blob, `has more than its ${blob.size} bytes`)
      hash.update(chunk)
      size += chunk.byteLength
    },
    finish() {
      if (size !== blob.size) throw mismatch(blob, `has ${size} of ${blob.size} bytes`)
      digest ??= digestOf(digestAlgorithm(blob.digest), hash.digest('hex'))
      if (digest !== blob.digest) throw mismatch(blob, `has the content of ${digest}`)
    },
  }
}

function mismatch({ digest }: Descriptor, why: string): OciError {
  return new OciError('ERR_DIGEST_MISMATCH', `blob ${digest} ${why}`, {
    hint: 'the content was damaged or changed on its way; try again, or get the image from another place',
  })
}

/** The error for a blob that an image layout lacks. @param where the layout or file, as messages name it */
export function missingBlob(blob: Descriptor, where: string): OciError {
  const hint = isForeignLayer(blob)
    ? 'the layer is marked as not distributable: copy the image from its registry with --foreign-layers'
    : undefined
  return new OciError('ERR_IMAGE_NOT_FOUND', `there is no blob ${blob.digest} at ${where}`, { hint })
}

async function openRegular(path: string, blob: Descriptor): Promise<FileHandle> {
  const file = await openNoFollow(path, blob)
  const stats = await file.stat()
  if (stats.isFile()) return file
  await file.close()
  throw new OciError('ERR_STORE_INVALID', `${path} is not a regular file`)
}

async function openNoFollow(path: string, blob: Descriptor): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    if (isSystemError(cause, 'ENOENT')) throw missingBlob(blob, path)
    if (isSystemError(cause, 'ELOOP')) throw new OciError('ERR_STORE_INVALID', `${path} is a symlink, not a blob`)
    throw cause
  }
}

/**
 * The bytes of an open file from `start` up to `end` (default: its end), in large chunks of memory of their own, which
 * the reader may pass to `releaseChunk`.
 */
export async function* readChunks(
  file: FileHandle,
  start: number = 0,
  end: number = Infinity,
): AsyncGenerator<Uint8Array> {
  for (let position = start; position < end; ) {
    const buffer = allocateChunk(chunkBytes)
    const { bytesRead } = await file.read(buffer, 0, Math.min(chunkBytes, end - position), position)
    if (bytesRead === 0) return
    position += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
