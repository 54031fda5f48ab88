import { basename, dirname, join, resolve } from 'node:path'
import { defaultStorePath } from '../../store/location.ts'
import { ownerOf } from '../../store/owner.ts'
import { findBaseImage } from './base-image.ts'
import { rootfsOf } from './bundle-tree.ts'
import { compareWithBase } from './compare-with-base.ts'
import { makePrivateDirectory } from './private-directory.ts'

export interface DiffOptions {
  readonly bundle: string
  /** The image the bundle was made of, `oci:DIR[:TAG]`; default: what its `image.json` says, from the store. */
  readonly base?: string | undefined
  /** Directory of the store; default: /var/lib/bundle-tool, or `$XDG_DATA_HOME/bundle-tool` for others than root. */
  readonly store?: string | undefined
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly signal?: AbortSignal | undefined
  /** Told of files that no image can hold, as sockets. */
  readonly warn?: ((message: string) => void) | undefined
}

/** A file of a rootfs that is not as its image has it. */
export interface FileChange {
  readonly kind: 'added' | 'changed' | 'deleted'
  /** Absolute in the container. */
  readonly path: string
}

/**
 * Compares the rootfs of a bundle with the image that it was made of: content, owners, modes, times and attributes. Of a
 * directory that is gone, it alone is listed.
 *
 * @returns the differences by path
 * @throws OciError `ERR_BUNDLE_INVALID`, `ERR_IMAGE_NOT_FOUND`, `ERR_NOT_SUPPORTED` and others
 */
export async function diff(options: DiffOptions): Promise<readonly FileChange[]> {
  const { env = process.env, signal, warn } = options
  const bundle = resolve(options.bundle)
  const rootfs = rootfsOf(bundle)
  const layouts = [options.store ?? defaultStorePath(env)]
  const base = await findBaseImage(bundle, { base: options.base, layouts })
  const scratch = await makePrivateDirectory(join(dirname(bundle), `.${basename(bundle)}.partial-${ownerOf()}-`))
  try {
    return await compareWithBase(
      { rootfs, base, scratch: scratch.anchor, signal, warn },
      async ({ before, changes: { files, whiteouts } }) => {
        const known = new Set(before.files.map(({ path }) => path))
        const found = files.map(({ path }): FileChange => ({ kind: known.has(path) ? 'changed' : 'added', path }))
        const gone = whiteouts.map((path): FileChange => {
          return { kind: 'deleted', path: path.replace(/(^|\/)\.wh\.([^/]*)$/, '$1$2') }
        })
        return [...found, ...gone].map(absolute).sort((a, b) => (a.path < b.path ? -1 : 1))
      },
    )
  } finally {
    scratch.remove()
    scratch.close()
  }
}

const absolute = ({ kind, path }: FileChange): FileChange => ({ kind, path: `/${path}` })
