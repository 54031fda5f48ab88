import { join } from 'node:path'
import { diffTrees, type TreeChanges } from '../../layer/diff.ts'
import { createRootfs } from '../../layer/rootfs.ts'
import { isSameData } from '../../layer/same-data.ts'
import { applyNodeOps } from '../../runtime/node-ops.ts'
import { startTree } from '../../runtime/tree-process.ts'
import { openBlobFile } from '../../store/blob-file.ts'
import type { BaseImage } from './base-image.ts'
import { type RootfsTree, readRootfs } from './bundle-tree.ts'

interface Compared {
  readonly rootfs: string
  readonly base: BaseImage
  /** A directory of this process alone. */
  readonly scratch: string
  readonly signal?: AbortSignal | undefined
  /** Told of files that an archive cannot hold. */
  readonly warn?: ((message: string) => void) | undefined
}

interface Comparison {
  readonly before: RootfsTree
  readonly after: RootfsTree
  readonly changes: TreeChanges
}

/** Unpacks an image once more and compares a rootfs with it; both can be read as long as `use` runs. */
export async function compareWithBase<T>(
  { rootfs, base, scratch, signal, warn = () => {} }: Compared,
  use: (comparison: Comparison) => Promise<T>,
): Promise<T> {
  const original = join(scratch, 'rootfs')
  await unpackBase(base, original, signal)
  const before = await readRootfs(original, () => {})
  try {
    const after = await readRootfs(rootfs, warn)
    try {
      const isSame = (path: string): boolean => isSameData(before.tree, after.tree, path)
      return await use({ before, after, changes: diffTrees(before.files, after.files, isSame) })
    } finally {
      after.tree.close()
    }
  } finally {
    before.tree.close()
  }
}

async function unpackBase(base: BaseImage, rootfs: string, signal: AbortSignal | undefined): Promise<void> {
  const builder = createRootfs(rootfs, { applyNodeOps: (ops) => applyNodeOps(rootfs, ops), startTree })
  try {
    for (const [index, layer] of base.manifest.layers.entries()) {
      const diffID = base.config.rootfs.diff_ids[index]
      await builder.apply(openBlobFile(base.layout, layer), { diffID, name: layer.digest, signal })
    }
    await builder.finish()
  } finally {
    await builder.close()
  }
}
