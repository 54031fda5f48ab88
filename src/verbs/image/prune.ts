import { existsSync, readdirSync } from 'node:fs'
import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isDigest } from '../../oci/digest.ts'
import { defaultStorePath } from '../../store/location.ts'
import { isOwnerAlive } from '../../store/owner.ts'
import { reachable } from '../../store/reachable.ts'
import { withoutUsers } from '../../store/usage.ts'
import { openStoreToWriteOf, type StoreOptions } from './images.ts'
import { removeTryBundles } from './try-bundle.ts'
import { removeUnpackedTrees } from './unpacked-trees.ts'

export interface PruneResult {
  /** Digests of the blobs that were removed. */
  readonly removed: readonly string[]
  /** Bytes that this gave back, those of unfinished downloads included. */
  readonly bytes: number
}

/**
 * Removes what no image of the store needs: blobs, unpacked trees, and what earlier pulls have left unfinished.
 *
 * @throws OciError `ERR_STORE_IN_USE` something is being pulled; `ERR_STORE_INVALID`
 */
export async function prune(options: StoreOptions = {}): Promise<PruneResult> {
  const store = await openStoreToWriteOf(options)
  return withoutUsers(store.path, async () => {
    const needed = new Set<string>()
    for (const entry of await store.list()) {
      for (const digest of (await reachable(store, entry)).keys()) needed.add(digest)
    }
    const removed: string[] = []
    removeUnpackedTrees(store.path, (digest) => needed.has(digest))
    removeTryBundles(store.path)
    let bytes = await removeUnfinished(join(store.path, 'ingest'))
    for (const algorithm of ['sha256', 'sha512']) {
      const directory = join(store.path, 'blobs', algorithm)
      for (const name of await readdir(directory)) {
        const digest = `${algorithm}:${name}`
        if (!isDigest(digest) || needed.has(digest)) continue
        bytes += (await lstat(join(directory, name))).size
        await rm(join(directory, name))
        removed.push(digest)
      }
    }
    return { removed, bytes }
  })
}

/** True when the store has the unpacked files of an image. */
export function hasUnpackedTrees({ store, env = process.env }: StoreOptions): boolean {
  const trees = join(store ?? defaultStorePath(env), 'unpacked')
  return existsSync(trees) && readdirSync(trees).length > 0
}

async function removeUnfinished(directory: string): Promise<number> {
  let bytes = 0
  for (const name of await readdir(directory)) {
    if (isOwnerAlive(name.split('.')[1] ?? '')) continue
    bytes += (await lstat(join(directory, name))).size
    await rm(join(directory, name))
  }
  return bytes
}
