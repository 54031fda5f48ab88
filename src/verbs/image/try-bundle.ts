import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { BundleFile } from '../../bundle/changes/names.ts'
import { type ImageRecord, writeImageRecord } from '../../bundle/image-record.ts'
import { formatRuntimeConfig, writeBundleFiles, writeRuntimeConfig } from '../../bundle/write-config.ts'
import { isSystemError } from '../../errors.ts'
import { removeTree } from '../../layer/remove-tree.ts'
import { makeDirectories } from '../../make-directories.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { readConfig } from '../../runtime/load-bundle.ts'
import { isOwnerAlive, ownerOf } from '../../store/owner.ts'
import { makeBundleDirectory } from './bundle-directory.ts'
import { copyOfTree } from './unpacked-trees.ts'

const directoryOf = (store: string): string => join(store, 'tries')

/** True for the path of a bundle that a try has made, and does not keep for its caller. */
export const isTryBundle = (store: string, bundle: string): boolean => dirname(bundle) === directoryOf(resolve(store))

export interface NewTryBundle {
  readonly config: RuntimeConfig
  /** Other files beside config.json. */
  readonly files: readonly BundleFile[]
}

/**
 * Makes a bundle of a config.json whose rootfs is elsewhere, with the empty directory `changes`. It is named after its files,
 * so that there is one for each.
 *
 * @returns its absolute path
 */
export async function makeTryBundle(store: string, { config, files }: NewTryBundle): Promise<string> {
  const text = formatRuntimeConfig(config)
  const name = createHash('sha256').update(JSON.stringify([text, files]))
  const bundle = join(directoryOf(store), name.digest('hex').slice(0, 32))
  if (existsSync(bundle)) return bundle
  makeDirectories(directoryOf(store))
  const partial = `${bundle}.${ownerOf()}`
  mkdirSync(partial, 0o700)
  mkdirSync(join(partial, 'changes'), 0o700)
  await writeBundleFiles(partial, files)
  writeFileSync(join(partial, 'config.json'), text, { flag: 'wx' })
  try {
    renameSync(partial, bundle)
  } catch (error) {
    // Another process was faster.
    if (!isSystemError(error, 'ENOTEMPTY', 'EEXIST')) throw error
    removeTree(partial)
  }
  return bundle
}

/** Makes a bundle with a copy of a kept tree for its rootfs. @throws OciError `ERR_BUNDLE_EXISTS` and others */
export async function makeBundleWithCopy(
  out: string,
  { tree, config, files, record }: NewTryBundle & { readonly tree: string; readonly record?: ImageRecord },
): Promise<string> {
  return await makeBundleDirectory({ out }, async (directory) => {
    await copyOfTree(tree, join(directory, 'rootfs'))
    await writeBundleFiles(directory, files)
    await writeRuntimeConfig(directory, config)
    if (record !== undefined) writeImageRecord(directory, record)
    await chmod(directory, 0o755)
  })
}

/** The place of a bundle that is for this process alone. */
export function temporaryBundle(store: string): string {
  makeDirectories(directoryOf(store))
  return join(directoryOf(store), `run.${ownerOf()}`)
}

/** Removes a temporary bundle. */
export const removeBundle = (bundle: string): void => removeTree(bundle)

/** Removes what killed processes have left. */
export function removeDeadBundles(store: string): void {
  removeBundles(store, (_, owners) => owners.length > 0 && !owners.some(isOwnerAlive))
}

/** Removes the bundles whose tree is gone, and what killed processes have left. */
export function removeTryBundles(store: string): void {
  removeBundles(store, (bundle, owners) =>
    owners.length > 0 ? !owners.some(isOwnerAlive) : !existsSync(resolve(bundle, readConfig(bundle).root.path)),
  )
}

/** @param isLeft gets the bundle, and the processes that its name has, if it is one of theirs */
function removeBundles(store: string, isLeft: (bundle: string, owners: readonly string[]) => boolean): void {
  const bundles = directoryOf(store)
  for (const name of existsSync(bundles) ? readdirSync(bundles) : []) {
    if (isLeft(join(bundles, name), name.match(/\d+-\d+/g) ?? [])) removeTree(join(bundles, name))
  }
}
