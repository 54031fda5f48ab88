import { OciError } from '../errors.ts'
import { formatReference, parseReference, type Reference } from './reference.ts'

/** `signedIdentity` of policy.json: a rule for the name for which a signature must have been made. */
export type SignedIdentity =
  | { readonly type: 'matchRepoDigestOrExact' | 'matchExact' | 'matchRepository' }
  | { readonly type: 'exactReference'; readonly dockerReference: string }
  | { readonly type: 'exactRepository'; readonly dockerRepository: string }
  | { readonly type: 'remapIdentity'; readonly prefix: string; readonly signedPrefix: string }

/**
 * True when a signature for the name `signed` is valid for the image `wanted`. If `wanted` has a digest, its tag is ignored.
 *
 * @see containers-policy.json(5) "signedBy", "signedIdentity"
 */
export function isIdentityAccepted(identity: SignedIdentity, wanted: Reference, signed: string): boolean {
  const name = parseName(signed)
  const image = wanted.digest === undefined ? wanted : { ...wanted, tag: undefined }
  if (name === undefined) return false
  switch (identity.type) {
    case 'matchExact':
      return isSameVersion(name, image)
    case 'matchRepoDigestOrExact':
      return isExactOrByDigest(name, image)
    case 'matchRepository':
      return isSameRepository(name, image)
    case 'exactReference': {
      const exact = parseName(identity.dockerReference)
      return exact !== undefined && isSameVersion(name, exact)
    }
    case 'exactRepository': {
      const exact = parseName(identity.dockerRepository)
      return exact !== undefined && isSameRepository(name, exact)
    }
    case 'remapIdentity': {
      const mapped = remap(identity, image)
      return mapped !== undefined && isExactOrByDigest(name, mapped)
    }
  }
}

/**
 * True when the versions are equal, or the image has a digest and the repositories are equal; the caller has compared the
 * manifest's digest with that of the payload.
 */
const isExactOrByDigest = (name: Reference, image: Reference): boolean =>
  isSameVersion(name, image) || (image.digest !== undefined && hasVersion(name) && isSameRepository(name, image))

const isSameVersion = (name: Reference, image: Reference): boolean =>
  hasVersion(name) && hasVersion(image) && formatReference(name) === formatReference(image)

const hasVersion = ({ tag, digest }: Reference): boolean => tag !== undefined || digest !== undefined

const isSameRepository = (one: Reference, other: Reference): boolean => repositoryOf(one) === repositoryOf(other)

const repositoryOf = ({ registry, repository }: Reference): string => `${registry}/${repository}`

/** Replaces `prefix` by `signedPrefix`, if the repository begins with `prefix` in whole components. */
function remap({ prefix, signedPrefix }: SignedIdentity & { type: 'remapIdentity' }, image: Reference) {
  const name = repositoryOf(image)
  if (name !== prefix && !name.startsWith(`${prefix}/`)) return image
  return parseName(signedPrefix + formatReference(image).slice(prefix.length))
}

/** Parses a name like `parseReference`, but adds no default tag; undefined if it is invalid. */
function parseName(text: string): Reference | undefined {
  try {
    const reference = parseReference(text)
    const isVersionless = !/[:@]/.test(text.slice(text.lastIndexOf('/') + 1))
    return isVersionless ? { ...reference, tag: undefined } : reference
  } catch (error) {
    if (error instanceof OciError) return undefined
    throw error
  }
}
