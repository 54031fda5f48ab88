import { stat } from 'node:fs/promises'
import { isSystemError, OciError } from '../errors.ts'
import { refuseOldArchive } from './docker-archive.ts'
import { isOciLayout } from './oci-layout.ts'
import type { TarIndex } from './tar-index.ts'

/** The kind of a file or directory; an archive is open. */
export type FoundKind =
  | { readonly kind: 'oci' }
  | { readonly kind: 'docker-archive' | 'oci-archive' | 'rootfs'; readonly tar: TarIndex }

/**
 * Determines the kind of a file or directory from its content.
 * @param path the file or directory; `-` stands for the archive of `openArchive`
 * @param help the hint for a path that does not exist, one imperative sentence
 * @throws OciError `ERR_SOURCE_INVALID` the path does not exist, or is neither an image layout nor an archive;
 *   `ERR_NOT_SUPPORTED` as `refuseOldArchive`
 */
export async function findKind(
  path: string,
  { openArchive, help }: { readonly openArchive: () => Promise<TarIndex>; readonly help: string },
): Promise<FoundKind> {
  if (path !== '-' && (await isOciLayout(path))) return { kind: 'oci' }
  if (path !== '-' && (await isDirectory(path, help))) {
    throw new OciError('ERR_SOURCE_INVALID', `${path} is a directory and not an OCI image layout`, {
      hint: 'name a layout (a directory with a file "oci-layout") or an archive',
    })
  }
  const tar = await openArchive()
  try {
    // Docker 25 and newer write both; manifest.json is the one with the full names.
    if (tar.find('manifest.json') !== undefined) return { kind: 'docker-archive', tar }
    if (tar.find('oci-layout') !== undefined) return { kind: 'oci-archive', tar }
    refuseOldArchive(tar)
    return { kind: 'rootfs', tar }
  } catch (error) {
    await tar.close()
    throw error
  }
}

async function isDirectory(path: string, hint: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    throw new OciError('ERR_SOURCE_INVALID', `cannot read ${path}: ${cause.code}`, { hint, cause })
  }
}
