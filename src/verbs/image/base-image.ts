import { lstat } from 'node:fs/promises'
import { readImageRecord } from '../../bundle/image-record.ts'
import { leadsNowhere, OciError } from '../../errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { checkLayerCount, type ImageConfig, parseImageConfig } from '../../oci/image-config.ts'
import { maxImageConfigBytes, maxManifestBytes } from '../../oci/limits.ts'
import { type Manifest, parseManifest } from '../../oci/manifest.ts'
import { openOciLayout } from '../../source/oci-layout.ts'
import { blobPath, collectBlob, openBlobFile } from '../../store/blob-file.ts'

/** An image in a layout on this machine, with the documents as they were written. */
export interface BaseImage {
  readonly layout: string
  readonly manifest: Manifest
  readonly config: ImageConfig
  /** The same two byte for byte: what is made of them keeps members that are not known here. */
  readonly manifestContent: Buffer
  readonly configContent: Buffer
}

/** A layout and the name of an image in it: `oci:DIR:TAG`. */
export interface LayoutName {
  readonly layout: string
  readonly tag: string | undefined
}

/** @throws OciError `ERR_USAGE` it is not `oci:DIR[:TAG]` */
export function parseLayoutName(text: string): LayoutName {
  const [, layout, tag] = /^oci:([^:]+)(?::(.+))?$/s.exec(text) ?? []
  if (layout !== undefined) return { layout, tag }
  throw new OciError('ERR_USAGE', `"${text}" is no image in a layout`, { hint: 'write oci:DIRECTORY:TAG' })
}

/**
 * The image that a bundle was made of: the one that `base` names, or that the bundle's record names and one of
 * `layouts` has.
 *
 * @throws OciError `ERR_IMAGE_NOT_FOUND`; `ERR_MANIFEST_INVALID`, `ERR_DIGEST_MISMATCH`, `ERR_SOURCE_INVALID`
 */
export async function findBaseImage(
  bundle: string,
  { base, layouts }: { readonly base: string | undefined; readonly layouts: readonly string[] },
): Promise<BaseImage> {
  if (base !== undefined) {
    const { layout, tag } = parseLayoutName(base)
    const { digest } = await openOciLayout(layout, tag).image()
    if (digest === undefined) throw new Error('an image of a layout has a digest')
    return readBaseImage(layout, digest)
  }
  const record = readImageRecord(bundle)
  if (record === undefined) {
    throw new OciError('ERR_IMAGE_NOT_FOUND', `${bundle} does not say what image it was made of`, {
      hint: 'name it with --base',
    })
  }
  for (const layout of layouts) {
    if ((await sizeOf(layout, record.manifest)) !== undefined) return readBaseImage(layout, record.manifest)
  }
  throw new OciError('ERR_IMAGE_NOT_FOUND', `${record.name} (${record.manifest}) is not in ${layouts.join(' or ')}`, {
    hint: 'name a layout that has it with --base',
  })
}

async function readBaseImage(layout: string, digest: Digest): Promise<BaseImage> {
  const size = await sizeOf(layout, digest)
  const blob = { mediaType: '', digest, size: size ?? 0 }
  const content = await collectBlob(openBlobFile(layout, blob), blob, maxManifestBytes)
  const what = `manifest ${digest} in ${layout}`
  const manifest = parseManifest(content, { what })
  if (manifest.kind !== 'manifest') throw new OciError('ERR_MANIFEST_INVALID', `${what} is an index, not an image`)
  const configContent = await collectBlob(openBlobFile(layout, manifest.config), manifest.config, maxImageConfigBytes)
  const config = parseImageConfig(configContent, `image config ${manifest.config.digest}`)
  checkLayerCount(manifest, config, what)
  return { layout, manifest, config, manifestContent: content, configContent }
}

async function sizeOf(layout: string, digest: Digest): Promise<number | undefined> {
  try {
    return (await lstat(blobPath(layout, digest))).size
  } catch (error) {
    if (leadsNowhere(error)) return undefined
    throw error
  }
}

/** A layer's bytes from `from` on; verified only from the start. */
export async function* layerFrom(layout: string, layer: Descriptor, from: number): AsyncGenerator<Uint8Array> {
  let skip = from
  for await (const piece of openBlobFile(layout, layer)) {
    if (skip < piece.length) yield piece.subarray(skip)
    skip = Math.max(0, skip - piece.length)
  }
}
