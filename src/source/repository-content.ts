import { OciError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { formatReference, type Reference } from '../oci/reference.ts'
import type { RegistryAccess, Signatures } from '../registry/access.ts'
import { openPushRepository } from '../registry/push.ts'
import { openRepository } from '../registry/repository.ts'
import { collectBlob, verified } from '../store/blob-file.ts'
import type { Content, Target } from './content.ts'

/** The content that a registry has under a reference; `signatures` refuses an image that lacks a required signature. */
export function repositoryContent(
  reference: Reference,
  { endpoints, ...options }: RegistryAccess,
  signatures?: Signatures,
): Content {
  const repository = openRepository(endpoints, options)
  const open = (blob: Descriptor) => verified(repository.fetchBlob(blob), blob)
  return {
    name: formatReference(reference),
    root: () => repository.fetchManifest(reference.digest ?? reference.tag ?? 'latest'),
    readManifest: async ({ digest }) => (await repository.fetchManifest(digest)).content,
    referrers: ({ digest }) => repository.fetchReferrers(digest),
    async tagged(tag) {
      try {
        return await repository.fetchManifest(tag)
      } catch (error) {
        if (error instanceof OciError && error.code === 'ERR_IMAGE_NOT_FOUND') return undefined
        throw error
      }
    },
    async checkSigned(manifest) {
      await signatures?.(manifest, {
        fetchManifest: (tag) => repository.fetchManifest(tag),
        read: (blob, limit) => collectBlob(open(blob), blob, limit),
      })
    },
    open,
    close: () => repository.close(),
  }
}

/**
 * A reference of a registry as a target. Its `finish` throws OciError `ERR_DIGEST_MISMATCH` when the reference names
 * another digest.
 */
export function repositoryTarget(reference: Reference, { endpoints, ...options }: RegistryAccess): Target {
  const [endpoint] = endpoints
  if (endpoint === undefined) throw new Error('a reference has an endpoint')
  const repository = openPushRepository(endpoint, options)
  const name = formatReference(reference)
  return {
    name,
    takesIndex: true,
    needsLayers: false,
    has: repository.has,
    writeBlob: repository.pushBlob,
    writeManifest: ({ descriptor, content }) => repository.pushManifest(descriptor.digest, descriptor, content),
    writeReferrer: ({ descriptor, content }, subject) => repository.pushReferrer(subject, descriptor, content),
    writeTagged: (tag, { descriptor, content }) => repository.pushManifest(tag, descriptor, content),
    async finish({ descriptor, content }) {
      if (reference.digest !== undefined && reference.digest !== descriptor.digest) {
        throw new OciError(
          'ERR_DIGEST_MISMATCH',
          `the image to be pushed as ${name} has the digest ${descriptor.digest}`,
        )
      }
      await repository.pushManifest(reference.tag ?? descriptor.digest, descriptor, content)
    },
    close: () => repository.close(),
  }
}
