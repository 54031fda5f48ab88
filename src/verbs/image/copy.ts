import type { Descriptor } from '../../oci/descriptor.ts'
import { parsePlatform } from '../../oci/platform.ts'
import { givenCredentials } from '../../registry/credentials.ts'
import type { RegistryOptions } from '../../registry/options.ts'
import { copyContent } from '../../source/copy-content.ts'
import { type ContentOptions, checkTarget, openContent, openTarget, parsePlace } from '../../source/places.ts'

export interface CopyOptions extends ContentOptions {
  /** Copy every image of an index, and the index; default: the image for one platform. */
  readonly all?: boolean | undefined
  /**
   * Copy the manifests that refer to those that are copied, and what cosign keeps under tags made of their digests, too;
   * default false.
   */
  readonly referrers?: boolean | undefined
  /** `OS/ARCH[/VARIANT]`; default: this host's, and an image for one platform alone as it is. */
  readonly platform?: string | undefined
  /** As `credentials`, for the target alone. */
  readonly targetCredentials?: RegistryOptions['credentials']
  readonly sourceInsecure?: boolean | undefined
  readonly targetInsecure?: boolean | undefined
  /** Takes the bytes of a target `oci-archive:-` or `docker-archive:-`. Default: none, and such a target is refused. */
  readonly output?: ((bytes: Uint8Array) => Promise<void>) | undefined
  /** Told of layers that are left out. */
  readonly warn?: ((message: string) => void) | undefined
  /** Told how many bytes of a blob have been read for the target, which may begin anew. */
  readonly onProgress?: ((progress: { readonly blob: Descriptor; readonly bytes: number }) => void) | undefined
  /** Told when a blob is at its target. */
  readonly onBlob?: ((copied: { readonly blob: Descriptor; readonly wasThere: boolean }) => void) | undefined
}

export interface CopyResult {
  /** Where the image is now: the full name in a registry, or the place as it was named. */
  readonly target: string
  /** Digest of what the target's name now stands for: the same as at the source, where that has one. */
  readonly digest: string
}

/**
 * Copies an image from one place to another: registry (`docker://REF` or `REF`), `oci:DIR[:TAG]`, `oci-archive:F[:TAG]`
 * or `docker-archive:F[:REF]`, with `-` in the place of F for `output`; `docker-daemon:REF` is read only, and so is a bare
 * path, whose kind is found by looking into it. Nothing is converted or compressed again.
 *
 * @throws OciError `ERR_USAGE`, `ERR_REFERENCE_INVALID`, `ERR_POLICY`, `ERR_IMAGE_NOT_FOUND`, `ERR_PLATFORM_UNAVAILABLE`,
 *   `ERR_DIGEST_MISMATCH`, `ERR_REGISTRY`, `ERR_REGISTRY_AUTH`, `ERR_NETWORK`, `ERR_FILE_SYSTEM` and others
 */
export async function copy(from: string, to: string, options: CopyOptions = {}): Promise<CopyResult> {
  const { all = false, insecure, sourceInsecure, targetInsecure, targetCredentials } = options
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform)
  const isRegistry = parsePlace(to).kind === 'docker'
  const own =
    typeof targetCredentials === 'string' ? givenCredentials(targetCredentials, '--dest-creds') : targetCredentials
  checkTarget(to)
  const content = await openContent(from, { ...options, insecure: sourceInsecure ?? insecure }, true)
  try {
    const credentials = own ?? options.credentials
    const target = await openTarget(to, { ...options, credentials, insecure: targetInsecure ?? insecure })
    try {
      const { digest } = await copyContent(content, target, { ...options, all, platform })
      return { target: isRegistry ? target.name : to, digest }
    } finally {
      await target.close()
    }
  } finally {
    await content.close()
  }
}
