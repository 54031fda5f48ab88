import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { isSystemError, OciError } from '../../errors.ts'
import { packTree } from '../../layer/pack.ts'
import { ownerOf } from '../../store/owner.ts'
import { checkWritable, whyNot } from '../../writable.ts'
import { readRootfs, rootfsOf } from './bundle-tree.ts'

export interface ExportOptions {
  readonly bundle: string
  readonly signal?: AbortSignal | undefined
  /** Told what an archive cannot hold. */
  readonly warn?: ((message: string) => void) | undefined
}

/**
 * The rootfs of a bundle as a tar archive, as `docker export` writes one: names, owners, modes, times, links, devices
 * and extended attributes. The same files give the same bytes; files that change meanwhile are read as they are then.
 *
 * Each piece is valid until the next is asked for.
 * @throws OciError `ERR_BUNDLE_INVALID`, `ERR_CONFIG_INVALID`
 */
export async function* exportRootfs({ bundle, signal, warn = () => {} }: ExportOptions): AsyncGenerator<Uint8Array> {
  const { tree, files } = await readRootfs(rootfsOf(bundle), warn)
  try {
    for (const piece of packTree(tree, files)) {
      signal?.throwIfAborted()
      yield piece
    }
  } finally {
    tree.close()
  }
}

/** Writes an archive into a file, which appears whole or not at all. @throws OciError `ERR_FILE_SYSTEM`; what `archive` throws */
export async function exportToFile(output: string, archive: AsyncIterable<Uint8Array>): Promise<void> {
  const path = resolve(output)
  checkWritable(dirname(path), { code: 'ERR_FILE_SYSTEM', what: `cannot write ${path}`, hint: 'name another file' })
  const temporary = `${path}.partial-${ownerOf()}`
  let file: FileHandle | undefined
  try {
    for await (const piece of archive) {
      file ??= await open(temporary, 'wx')
      for (let at = 0; at < piece.length; ) at += (await file.write(piece, at)).bytesWritten
    }
    await file?.close()
    await rename(temporary, path)
  } catch (error) {
    await file?.close()
    await rm(temporary, { force: true })
    if (!isSystemError(error) || error.path !== temporary) throw error
    throw new OciError('ERR_FILE_SYSTEM', `cannot write ${path}: ${whyNot(error)}`, { cause: error })
  }
}
