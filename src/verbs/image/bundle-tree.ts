import { resolve } from 'node:path'
import { type ScanOptions, scanTree, type TreeFile } from '../../layer/scan.ts'
import { openTree, type TreeReader } from '../../layer/tree-reader.ts'
import { loadBundle } from '../../runtime/load-bundle.ts'
import { readXattrs } from '../../runtime/read-xattrs.ts'

/** The rootfs of a bundle as an archive would hold it; whoever gets it closes `tree`. */
export interface RootfsTree {
  readonly tree: TreeReader
  readonly files: readonly TreeFile[]
}

/** Absolute path of a bundle's rootfs. @throws OciError `ERR_BUNDLE_INVALID`, `ERR_CONFIG_INVALID` */
export function rootfsOf(bundle: string): string {
  const { directory, config } = loadBundle(bundle)
  return resolve(directory, config.root.path)
}

/** Reads what is in a rootfs; for others than root, owners are those that unpacking recorded. */
export async function readRootfs(rootfs: string, warn: ScanOptions['warn']): Promise<RootfsTree> {
  const uid = process.geteuid?.() ?? 0
  const self = uid === 0 ? undefined : { uid, gid: process.getegid?.() ?? 0 }
  const tree = openTree(rootfs)
  try {
    return { tree, files: await scanTree(tree, { readXattrs: (paths) => readXattrs(rootfs, paths), warn, self }) }
  } catch (error) {
    tree.close()
    throw error
  }
}
