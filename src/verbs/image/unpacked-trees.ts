import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { isSystemError, OciError } from '../../errors.ts'
import { removeTree } from '../../layer/remove-tree.ts'
import type { Choices } from '../../layer/rootfs.ts'
import { makeDirectories } from '../../make-directories.ts'
import { type Digest, digestHex } from '../../oci/digest.ts'
import { copyTree } from '../../runtime/copy-tree.ts'
import { isOwnerAlive, ownerOf } from '../../store/owner.ts'
import { isLowerDirectory } from './lower-directories.ts'

/**
 * The rootfs of an image that has been unpacked before: copying it takes a fraction of the time that unpacking takes. Where
 * files can share their data until one of them is written to (XFS, btrfs, bcachefs) a copy takes no space for it either. No
 * bundle has an inode in common with another.
 */
export interface UnpackedTree {
  /** Makes `rootfs`, which is not there, a copy of what has been kept; false where nothing has been, or it cannot be. */
  take(rootfs: string): Promise<boolean>
  /** Keeps a copy of `rootfs` for others, if that is wanted and there is none. */
  keep(rootfs: string): Promise<void>
  /**
   * The kept tree itself, to be read only: it is for all that come later.
   *
   * @param build unpacks the image where there is no such tree, and returns true when the image was unpacked as it is
   */
  itself(build: (rootfs: string) => Promise<boolean>): Promise<string>
}

/** The options that a tree depends on, beside the image's manifest. */
export interface UnpackedTreeOptions extends Choices {
  readonly manifest: Digest
  /** True when a copy is kept where there is none. */
  readonly keepUnpacked?: boolean | undefined
  /** Told why a copy could not be made. */
  readonly log?: ((message: string) => void) | undefined
}

const directoryOf = (store: string): string => join(store, 'unpacked')

/** The tree of one image in a store. */
export function unpackedTree(store: string, options: UnpackedTreeOptions): UnpackedTree {
  const trees = directoryOf(store)
  const kept = join(trees, nameOf(options, true))
  const inPart = join(trees, nameOf(options, false))
  return {
    take: async (rootfs) => existsSync(kept) && copied(kept, rootfs, options),
    async keep(rootfs) {
      if (!options.keepUnpacked || existsSync(kept)) return
      makeDirectories(trees)
      removeOld(trees, () => true)
      const partial = `${kept}.${ownerOf()}`
      if (await copied(rootfs, partial, options)) await keepAs(kept, partial, options)
    },
    async itself(build) {
      const found = [kept, inPart].find((path) => existsSync(path))
      if (found !== undefined) return found
      makeDirectories(trees)
      removeOld(trees, () => true)
      const partial = `${kept}.${ownerOf()}`
      try {
        const name = (await build(partial)) ? kept : inPart
        await keepAs(name, partial, options)
        return name
      } catch (error) {
        removeTree(partial)
        throw error
      }
    },
  }
}

/** Gives a copy its name. Another process may have kept the same tree meanwhile, which is as good. */
async function keepAs(kept: string, partial: string, { log }: UnpackedTreeOptions): Promise<void> {
  try {
    await rename(partial, kept)
  } catch (error) {
    if (!isSystemError(error)) throw error
    if (!['ENOTEMPTY', 'EEXIST'].includes(error.code ?? '')) log?.(`${kept} cannot be kept: ${error.message}`)
    removeTree(partial)
  }
}

/** Removes the trees of images that are not `wanted`, while nobody uses the store; those that a container runs on stay. */
export function removeUnpackedTrees(store: string, isWanted: (manifest: string) => boolean): void {
  removeOld(directoryOf(store), (hex) => isWanted(`sha256:${hex}`) || isWanted(`sha512:${hex}`))
}

/** Copies a kept tree to a place where nothing is. @throws OciError as `copyTree`; nothing of the copy is left then */
export async function copyOfTree(tree: string, to: string): Promise<void> {
  try {
    await copyTree(tree, to)
  } catch (error) {
    if (existsSync(to)) removeTree(to)
    throw error
  }
}

/**
 * A tree holds for as long as the kernel runs, the user's ids mean the same and layers are applied in the same way. Its
 * files are not flushed to disk as blobs are: after a crash they might be empty.
 */
function nameOf({ manifest, strictOverlay = false, keepDirlinks = false }: UnpackedTreeOptions, isWhole: boolean) {
  const ids = [process.geteuid?.(), readFileSync('/proc/self/uid_map', 'utf8')]
  // Whoever makes a bundle of one that is not whole would not hear what is different in it.
  const facts = JSON.stringify([1, ids, strictOverlay, keepDirlinks, ...(isWhole ? [] : ['in part'])])
  return `${digestHex(manifest)}-${createHash('sha256').update(facts).digest('hex').slice(0, 12)}-${bootID()}`
}

const bootID = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').replaceAll('-', '').trim()

/** Removes what earlier boots, killed processes and unwanted images have left. */
function removeOld(trees: string, isWanted: (hex: string) => boolean): void {
  for (const name of existsSync(trees) ? readdirSync(trees) : []) {
    const [, hex = '', boot, owner] = /^([0-9a-f]+)-[0-9a-f]+-([0-9a-f]+)(?:\.(.+))?$/.exec(name) ?? []
    const isCurrent = boot === bootID() && (owner === undefined || isOwnerAlive(owner))
    if ((!isCurrent || !isWanted(hex)) && !isLowerDirectory(join(trees, name))) removeTree(join(trees, name))
  }
}

/** True when a copy has been made; where that fails, the layers are unpacked instead. */
async function copied(from: string, to: string, { log }: UnpackedTreeOptions): Promise<boolean> {
  try {
    await copyOfTree(from, to)
    return true
  } catch (error) {
    if (!(error instanceof OciError)) throw error
    log?.(error.message)
    return false
  }
}
