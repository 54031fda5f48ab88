import { parsePlatform } from '../../oci/platform.ts'
import { chooseRoot } from '../../source/copy-content.ts'
import { openContent } from '../../source/places.ts'
import type { InspectOptions } from './inspect.ts'

export interface ImageDigest {
  readonly name: string
  readonly digest: string
  /** The media type of what has the digest: a manifest, or an index of several. */
  readonly mediaType: string
}

/**
 * The digest of what a name stands for, an index or a manifest; with a platform, that of the manifest for it.
 *
 * @param place as for `copy`
 * @throws OciError as `copy`
 */
export async function digest(place: string, options: InspectOptions = {}): Promise<ImageDigest> {
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform)
  const content = await openContent(place, options)
  try {
    const { descriptor } = await chooseRoot(content, { all: platform === undefined, platform })
    return { name: content.name, digest: descriptor.digest, mediaType: descriptor.mediaType }
  } finally {
    await content.close()
  }
}
