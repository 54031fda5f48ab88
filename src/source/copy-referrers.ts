import { OciError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { parseManifest } from '../oci/manifest.ts'
import type { Content, Target } from './content.ts'
import type { Document } from './resolve-image.ts'

/** A referrer may have referrers of its own, as an SBOM has a signature. */
const maxDepth = 4

/** The kinds of what cosign keeps under a tag that is made of a manifest's digest. @see cosign specs/SIGNATURE_SPEC.md */
const cosignKinds = ['sig', 'att', 'sbom'] as const

/**
 * Copies the manifests that refer to others, those that refer to these, and what cosign keeps under its tags.
 *
 * @param subjects the manifests and indexes that have been copied
 * @param copyParts copies what a manifest or index needs, without itself
 * @throws OciError `ERR_NOT_SUPPORTED` the source or the target can have none
 */
export async function copyReferrers(
  { content, target }: { readonly content: Content; readonly target: Target },
  subjects: readonly Document[],
  copyParts: (document: Document) => Promise<void>,
): Promise<void> {
  const { writeReferrer, writeTagged } = target
  if (content.referrers === undefined || writeReferrer === undefined || writeTagged === undefined) {
    const which = content.referrers === undefined ? content : target
    throw new OciError('ERR_NOT_SUPPORTED', `${which.name} can have no referrers`, {
      hint: 'leave out --referrers, or copy to a registry, a layout or an OCI archive',
    })
  }
  const seen = new Set<Digest>(subjects.map(({ descriptor }) => descriptor.digest))
  for (let [depth, waiting] = [0, [...subjects]]; waiting.length > 0; depth++) {
    const found: Document[] = []
    for (const { descriptor: subject } of waiting) {
      for (const descriptor of await content.referrers(subject)) {
        if (seen.has(descriptor.digest)) continue
        seen.add(descriptor.digest)
        const document = typed(descriptor, await content.readManifest(descriptor))
        await copyParts(document)
        await writeReferrer(document, subject.digest)
        found.push(document)
      }
      for (const kind of cosignKinds) {
        const tag = `${subject.digest.replace(':', '-')}.${kind}`
        const document = await content.tagged?.(tag)
        if (document === undefined) continue
        await copyParts(document)
        await writeTagged(tag, document)
      }
    }
    if (found.length > 0 && depth === maxDepth) {
      throw new OciError('ERR_LIMIT_EXCEEDED', `${content.name} has referrers of referrers, more than ${maxDepth} deep`)
    }
    waiting = found
  }
}

/** A document whose descriptor says the type of the artifact, as lists of referrers do. */
function typed(descriptor: Descriptor, content: Uint8Array): Document {
  const what = `manifest ${descriptor.digest}`
  const parsed = parseManifest(content, { what, mediaType: descriptor.mediaType })
  const own = parsed.artifactType ?? (parsed.kind === 'manifest' ? parsed.config.mediaType : undefined)
  const artifactType = descriptor.artifactType ?? own
  return { descriptor: { ...descriptor, ...(artifactType !== undefined && { artifactType }) }, content }
}
