import { OciError } from '../errors.ts'
import { formatReference, type Reference } from '../oci/reference.ts'
import type { RegistryAccess } from '../registry/access.ts'
import { openPushRepository } from '../registry/push.ts'
import { openRepository } from '../registry/repository.ts'
import { verified } from '../store/blob-file.ts'
import type { Content, Target } from './content.ts'

/** What a registry has under a reference. */
export function repositoryContent(reference: Reference, { endpoints, ...options }: RegistryAccess): Content {
  const repository = openRepository(endpoints, options)
  return {
    name: formatReference(reference),
    root: () => repository.fetchManifest(reference.digest ?? reference.tag ?? 'latest'),
    readManifest: async ({ digest }) => (await repository.fetchManifest(digest)).content,
    open: (blob) => verified(repository.fetchBlob(blob), blob),
    close: () => repository.close(),
  }
}

/** A reference of a registry to be written. @throws OciError `ERR_DIGEST_MISMATCH` from `finish`: it names another digest */
export function repositoryTarget(reference: Reference, { endpoints, ...options }: RegistryAccess): Target {
  const [endpoint] = endpoints
  if (endpoint === undefined) throw new Error('a reference has an endpoint')
  const repository = openPushRepository(endpoint, options)
  const name = formatReference(reference)
  return {
    name,
    takesIndex: true,
    has: repository.has,
    writeBlob: repository.pushBlob,
    writeManifest: ({ descriptor, content }) => repository.pushManifest(descriptor.digest, descriptor, content),
    async finish({ descriptor, content }) {
      if (reference.digest !== undefined && reference.digest !== descriptor.digest) {
        throw new OciError('ERR_DIGEST_MISMATCH', `what is to become ${name} has the digest ${descriptor.digest}`)
      }
      await repository.pushManifest(reference.tag ?? descriptor.digest, descriptor, content)
    },
    close: () => repository.close(),
  }
}
