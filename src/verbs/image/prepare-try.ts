import type { ConfigChanges } from '../../bundle/changes/config-changes.ts'
import { withSharedNames } from '../../bundle/changes/names.ts'
import type { ImageRecord } from '../../bundle/image-record.ts'
import { temporaryRootAnnotation } from '../../compile/mount/temporary-root.ts'
import { Door, type Guard } from '../../host/door.ts'
import { defaultNetwork } from '../../host/facts.ts'
import type { Choices } from '../../layer/rootfs.ts'
import type { Image } from '../../source/image.ts'
import { defaultStorePath } from '../../store/location.ts'
import { openStoreToWrite } from '../../store/store.ts'
import { configChanger } from './config-changer.ts'
import type { TriedImage } from './fetch-tried-image.ts'
import { type LayerOptions, makeBundle, runtimeConfig, unpackLayers } from './make-bundle.ts'
import { findTriedImage, type TriedImageOptions } from './tried-image.ts'
import { makeBundleWithCopy, makeTryBundle, removeDeadBundles, temporaryBundle } from './try-bundle.ts'
import { unpackedTree } from './unpacked-trees.ts'

export interface PrepareTryOptions
  extends Omit<TriedImageOptions, 'onLook'>,
    Choices,
    Pick<LayerOptions, 'onLayer' | 'onLayerRead' | 'warn'> {
  /** The network is that of `defaultNetwork` unless they name one. */
  readonly changes: ConfigChanges
  readonly store?: string | undefined
  /** Made by root of a user namespace (`unshare`), for a container that has its ids. */
  readonly subids?: boolean | undefined
  /** The container's ID, after which its cgroup is named below a parent. */
  readonly id?: string | undefined
  /** Where the bundle is to be, with a rootfs of its own. */
  readonly out?: string | undefined
  /** True for a bundle with a rootfs of its own, which nobody needs later; the kernel may have no overlays for this caller. */
  readonly isApart?: boolean | undefined
}

export interface PreparedTry {
  /** Absolute path of the bundle. */
  readonly bundle: string
  /** All that the bundle was made from; undefined when it holds for this time alone. */
  readonly guards: readonly Guard[] | undefined
  /** True when the bundle is to be removed after use. */
  readonly isTemporary: boolean
}

/**
 * Makes a bundle on the unpacked tree of an image, which is kept in the store. The bundle is kept, too: it is the same one for
 * the same image and the same changes.
 *
 * @throws OciError as `pull` and `unpack`
 */
export async function prepareTry(name: string, options: PrepareTryOptions): Promise<PreparedTry> {
  const { env = process.env, subids } = options
  const door = new Door()
  const changes = { ...options.changes, network: options.changes.network ?? defaultNetwork(door) }
  const onLook = (path?: string): void => (path === undefined ? door.unwatched(() => {}) : door.watch(path))
  if (takesVariables(changes) || changes.cgroupParent !== undefined) onLook()
  const change = await configChanger({ changes, out: options.out ?? options.id ?? 'try', subids, env, onLook })
  const store = await openStoreToWrite(options.store ?? defaultStorePath(env))
  removeDeadBundles(store.path)
  const found = await findTriedImage(name, store, { ...options, env, onLook })
  try {
    const { image } = found
    const out = options.out ?? (options.isApart || !hasDigest(image) ? temporaryBundle(store.path) : undefined)
    const isTemporary = out !== options.out
    const asked = { ...options, change, terminal: changes.tty }
    if (!hasDigest(image)) {
      const bundle = await makeBundle(image, { ...asked, out: out ?? '' })
      return { bundle, guards: undefined, isTemporary }
    }
    const tree = await treeOf(found, store.path, options)
    const config = await runtimeConfig(image, tree, asked)
    const files = change.files(config)
    if (out !== undefined) {
      return {
        bundle: await makeBundleWithCopy(out, { tree, config, files, ...recordOf(image) }),
        guards: undefined,
        isTemporary,
      }
    }
    const annotations = { ...config.annotations, [temporaryRootAnnotation]: 'changes' }
    const shared = withSharedNames({ ...config, root: { ...config.root, path: tree }, annotations })
    const bundle = await makeTryBundle(store.path, { config: shared, files })
    return { bundle, guards: door.guards(), isTemporary }
  } finally {
    await found.close()
  }
}

/** True for changes that depend on the caller's environment. */
const takesVariables = ({ env = [], envFile = [] }: ConfigChanges): boolean =>
  envFile.length > 0 || env.some((entry) => !entry.includes('='))

/** False for the archive of a rootfs, which would have to be read whole to be known again. */
const hasDigest = ({ digest, configDigest }: Image): boolean => (digest ?? configDigest) !== undefined

const recordOf = ({ name, digest }: Image): { readonly record?: ImageRecord } =>
  digest === undefined ? {} : { record: { name, manifest: digest } }

/** The tree of an image in the store: the one that is kept, or else a new one. */
async function treeOf({ image, stored }: TriedImage, store: string, options: PrepareTryOptions): Promise<string> {
  const { strictOverlay, keepDirlinks, log } = options
  const manifest = image.digest ?? image.configDigest
  if (manifest === undefined) throw new Error('an image has a digest')
  const tree = unpackedTree(store, { manifest, strictOverlay, keepDirlinks, log })
  let isWhole = true
  const warn = (message: string): void => {
    isWhole = false
    options.warn?.(message)
  }
  return await tree.itself(async (rootfs) => {
    await unpackLayers(image, rootfs, { ...options, warn })
    await stored()
    return isWhole
  })
}
