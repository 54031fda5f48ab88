import { chmod } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ConfigChanges } from '../../bundle/changes/config-changes.ts'
import { checkImageConfig, convertImageConfig } from '../../bundle/convert.ts'
import { defaultConfig } from '../../bundle/default-config.ts'
import { hostConfigOptions } from '../../bundle/host-options.ts'
import { bundleNamespace } from '../../bundle/id-mappings.ts'
import { withImageDefaults } from '../../bundle/image-defaults.ts'
import { writeImageRecord } from '../../bundle/image-record.ts'
import { writeBundleFiles, writeRuntimeConfig } from '../../bundle/write-config.ts'
import { OciError } from '../../errors.ts'
import {
  type Choices,
  checkFreeSpace,
  createRootfs,
  type RootfsBuilder,
  type UnpackLimits,
} from '../../layer/rootfs.ts'
import type { ImageConfig } from '../../oci/image-config.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { applyNodeOps } from '../../runtime/node-ops.ts'
import { startTree } from '../../runtime/tree-process.ts'
import { counted } from '../../source/counted.ts'
import type { Image } from '../../source/image.ts'
import { makeBundleDirectory } from './bundle-directory.ts'
import type { ConfigChanger } from './config-changer.ts'
import type { UnpackedTree } from './unpacked-trees.ts'

/** How far the applying of one layer has come. */
export interface LayerRead {
  readonly name: string
  readonly bytes: number
  /** The size of the blob, where it is known before its end. */
  readonly size: number | undefined
}

/** The options of every verb that makes a bundle of an image. */
export interface NewBundleOptions extends Choices {
  /** Where the bundle is to appear. */
  readonly out: string
  /** Replace a bundle that is there; default false. */
  readonly force?: boolean | undefined
  /** Give the program a terminal; default true. Without one it can run in the background, from scripts and with streams. */
  readonly terminal?: boolean | undefined
  /** Changes of the config.json that the image asks for; `terminal` is its `tty`. */
  readonly changes?: ConfigChanges | undefined
  /** Made by root of a user namespace (`unshare`), for containers that have its ids. Default false. */
  readonly subids?: boolean | undefined
  /** How much the layers may ask for; by default what real images stay below. */
  readonly limits?: UnpackLimits | undefined
  /** `OS/ARCH[/VARIANT]`; default: this host's, and an image for one platform alone as it is. */
  readonly platform?: string | undefined
}

export interface MakeBundleOptions extends Omit<NewBundleOptions, 'changes' | 'platform'> {
  /** Changes the config.json that the image asks for. */
  readonly change: ConfigChanger
  readonly signal?: AbortSignal | undefined
  /** Told what the image asks for and is done differently. */
  readonly warn?: ((message: string) => void) | undefined
  /** Told when each layer has been applied. */
  readonly onLayer?: ((applied: { readonly name: string; readonly entries: number }) => void) | undefined
  /** Told how many bytes of a layer's blob have been read to be applied. */
  readonly onLayerRead?: ((read: LayerRead) => void) | undefined
  /** A copy of the rootfs, if there is one, and where one is kept. */
  readonly unpacked?: UnpackedTree | undefined
  /** Awaited when the bundle is whole, before it appears. */
  readonly beforeVisible?: (() => Promise<void>) | undefined
}

/** The options that unpacking needs, and those that making a config.json needs. */
export type LayerOptions = Omit<MakeBundleOptions, 'out' | 'change'>
export type ImageConfigOptions = Pick<MakeBundleOptions, 'subids' | 'terminal' | 'warn' | 'change'>

/**
 * Makes a bundle of an image: its layers applied in order, and its image config converted. A rootfs archive, which has
 * no image config, gets the default config.json with the rights of images.
 *
 * @returns the absolute path of the bundle
 * @throws OciError of every kind that images, layers and bundles have; then nothing is left
 */
export async function makeBundle(image: Image, options: MakeBundleOptions): Promise<string> {
  const { signal } = options
  if (image.config !== undefined) checkImageConfig(image.config)
  let isAsWanted = true
  const warn = (message: string): void => {
    isAsWanted = false
    options.warn?.(message)
  }
  return makeBundleDirectory(options, async (directory) => {
    const rootfs = join(directory, 'rootfs')
    if (!(await options.unpacked?.take(rootfs))) await unpackLayers(image, rootfs, { ...options, warn })
    signal?.throwIfAborted()
    const config = await runtimeConfig(image, rootfs, options)
    await writeBundleFiles(directory, options.change.files(config))
    await writeRuntimeConfig(directory, config)
    if (image.digest !== undefined) writeImageRecord(directory, { name: image.name, manifest: image.digest })
    // A later user of the copy would not hear the warnings of this unpacking.
    const kept = isAsWanted ? options.unpacked?.keep(rootfs) : undefined
    await Promise.all([options.beforeVisible?.(), kept])
    signal?.throwIfAborted()
    await chmod(directory, 0o755)
  })
}

/** Unpacks the layers of an image into a directory that is not there yet. */
export async function unpackLayers(image: Image, rootfs: string, options: LayerOptions): Promise<void> {
  const { limits, strictOverlay, keepDirlinks, warn } = options
  const layerBytes = image.layers.reduce((sum, { size = 0 }) => sum + size, 0)
  checkFreeSpace(dirname(rootfs), layerBytes, 'unpacking the layers')
  const choices = { limits, strictOverlay, keepDirlinks, startTree }
  const builder = createRootfs(rootfs, { applyNodeOps: (ops) => applyNodeOps(rootfs, ops), warn, ...choices })
  try {
    await applyLayers(builder, image, options)
    await builder.finish()
  } finally {
    await builder.close()
  }
}

async function applyLayers(
  builder: RootfsBuilder,
  image: Image,
  { signal, onLayer, onLayerRead }: LayerOptions,
): Promise<void> {
  for (const { name, diffID, size, open } of image.layers) {
    signal?.throwIfAborted()
    const content = counted(open(), (bytes) => onLayerRead?.({ name, bytes, size }))
    const { entries } = await builder.apply(content, { diffID, name, signal })
    if (entries === 0 && image.config === undefined) {
      throw new OciError('ERR_SOURCE_INVALID', `${name} has no files: it is empty, or no tar archive`)
    }
    onLayer?.({ name, entries })
  }
}

/** The config.json that an image asks for, changed. @param rootfs where its layers are unpacked */
export async function runtimeConfig(image: Image, rootfs: string, options: ImageConfigOptions): Promise<RuntimeConfig> {
  return options.change.change(await imageRuntimeConfig(image, rootfs, options), rootfs)
}

async function imageRuntimeConfig(image: Image, rootfs: string, options: ImageConfigOptions): Promise<RuntimeConfig> {
  const { subids, terminal, warn, change } = options
  const { rootless, idMappings } = bundleNamespace(subids)
  if (image.config === undefined) {
    return withImageDefaults(defaultConfig({ ...(await hostConfigOptions(rootless, idMappings)), terminal }))
  }
  return convertImageConfig(change.hasUser ? withoutUser(image.config) : image.config, rootfs, {
    rootless,
    idMappings,
    terminal,
    onIgnoredVariable: (entry) => warn?.(`"${entry}" of the image's environment is no NAME=value, and is left out`),
    onReservedLabel: (label) => warn?.(`the label "${label}" is reserved and does not become an annotation`),
  })
}

/** The image's own user need not exist where another one is asked for. */
function withoutUser({ config: { User: _, ...config } = {}, ...image }: ImageConfig): ImageConfig {
  return { ...image, config }
}
