import * as z from 'zod/mini'
import { OciError } from '../errors.ts'
import { formatReference, parseReference, type Reference } from './reference.ts'

/** Which name a signature must have been made for: policy.json's `signedIdentity`. */
export type SignedIdentity =
  | { readonly type: 'matchRepoDigestOrExact' | 'matchExact' | 'matchRepository' }
  | { readonly type: 'exactReference'; readonly dockerReference: string }
  | { readonly type: 'exactRepository'; readonly dockerRepository: string }
  | { readonly type: 'remapIdentity'; readonly prefix: string; readonly signedPrefix: string }

export const signedIdentitySchema: z.ZodMiniType<SignedIdentity> = z.discriminatedUnion('type', [
  z.strictObject({ type: z.enum(['matchRepoDigestOrExact', 'matchExact', 'matchRepository']) }),
  z.strictObject({ type: z.literal('exactReference'), dockerReference: z.string() }),
  z.strictObject({ type: z.literal('exactRepository'), dockerRepository: z.string() }),
  z.strictObject({ type: z.literal('remapIdentity'), prefix: z.string(), signedPrefix: z.string() }),
])

/**
 * Whether a signature made for the name `signed` counts for the image that `wanted` asked for. Where that has a digest, its
 * tag is a mere label.
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

/** Of an image that is asked for by digest the repository must be the same; the manifest's digest is checked elsewhere. */
const isExactOrByDigest = (name: Reference, image: Reference): boolean =>
  isSameVersion(name, image) || (image.digest !== undefined && hasVersion(name) && isSameRepository(name, image))

const isSameVersion = (name: Reference, image: Reference): boolean =>
  hasVersion(name) && hasVersion(image) && formatReference(name) === formatReference(image)

const hasVersion = ({ tag, digest }: Reference): boolean => tag !== undefined || digest !== undefined

const isSameRepository = (one: Reference, other: Reference): boolean => repositoryOf(one) === repositoryOf(other)

const repositoryOf = ({ registry, repository }: Reference): string => `${registry}/${repository}`

/** `image` with `prefix` at its start replaced, where that is the start of its repository by whole components. */
function remap({ prefix, signedPrefix }: SignedIdentity & { type: 'remapIdentity' }, image: Reference) {
  const name = repositoryOf(image)
  if (name !== prefix && !name.startsWith(`${prefix}/`)) return image
  return parseName(signedPrefix + formatReference(image).slice(prefix.length))
}

/** As `parseReference`, but a name without a version stays without; undefined if it is no name. */
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
