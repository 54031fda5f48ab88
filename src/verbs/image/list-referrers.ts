import { OciError } from '../../errors.ts'
import { parsePlatform } from '../../oci/platform.ts'
import { chooseRoot } from '../../source/copy-content.ts'
import { type ContentOptions, openContent } from '../../source/places.ts'

export interface ListReferrersOptions extends ContentOptions {
  /** `OS/ARCH[/VARIANT]`: the image of an index whose referrers are wanted; default: what the name stands for. */
  readonly platform?: string | undefined
  /** Only those of this type. */
  readonly artifactType?: string | undefined
}

/** A manifest that refers to another one. */
export interface Referrer {
  readonly digest: string
  readonly mediaType: string
  readonly artifactType?: string | undefined
  readonly size: number
  readonly annotations?: Readonly<Record<string, string>> | undefined
}

export interface ReferrerList {
  /** Digest of the manifest or index that they refer to. */
  readonly subject: string
  readonly referrers: readonly Referrer[]
}

/**
 * The manifests in the same place that refer to an image: signatures, SBOMs and the like.
 *
 * @param place as for `copy`
 * @throws OciError as `copy`; `ERR_NOT_SUPPORTED` the place can have none
 * @see distribution-spec v1.1.1 "Listing Referrers"
 */
export async function listReferrers(place: string, options: ListReferrersOptions = {}): Promise<ReferrerList> {
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform)
  const content = await openContent(place, options)
  try {
    const { descriptor } = await chooseRoot(content, { all: platform === undefined, platform })
    if (content.referrers === undefined) {
      throw new OciError('ERR_NOT_SUPPORTED', `${content.name} can have no referrers`, {
        hint: 'name an image of a registry, a layout or an OCI archive',
      })
    }
    const all = await content.referrers(descriptor)
    const { artifactType: wanted } = options
    const referrers = all
      .filter(({ artifactType }) => wanted === undefined || artifactType === wanted)
      .map(({ digest, mediaType, artifactType, size, annotations }) => ({
        digest,
        mediaType,
        ...(artifactType !== undefined && { artifactType }),
        size,
        ...(annotations !== undefined && { annotations }),
      }))
    return { subject: descriptor.digest, referrers }
  } finally {
    await content.close()
  }
}
