import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { isSystemError, OciError } from '../errors.ts'
import { chunkBytes } from '../store/blob-file.ts'
import type { Source } from './image.ts'

/**
 * The source `rootfs:F`: the files of a rootfs in a tar archive, compressed or not, as `docker export` writes it. There
 * is no image config and no digest to check against.
 *
 * @param content returns the archive's bytes; called once
 */
export function rootfsArchive(
  name: string,
  content: () => AsyncIterable<Uint8Array>,
  close?: () => Promise<void>,
): Source {
  const layer = { name, diffID: undefined, size: undefined, open: content }
  return {
    image: async () => ({ name, digest: undefined, config: undefined, layers: [layer] }),
    close: async () => close?.(),
  }
}

/** Reads a file, a FIFO or a device from its beginning to its end. @throws OciError `ERR_SOURCE_INVALID` */
export async function* readArchive(path: string): AsyncGenerator<Uint8Array> {
  try {
    const file = await open(path, constants.O_RDONLY)
    yield* file.createReadStream({ highWaterMark: chunkBytes })
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    throw new OciError('ERR_SOURCE_INVALID', `cannot read ${path}: ${cause.code}`, { cause })
  }
}
