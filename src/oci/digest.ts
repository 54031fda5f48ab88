import { OciError } from '../errors.ts'

declare const brand: unique symbol

/**
 * `algorithm:hex` with a known algorithm and lower-case hex. Only `parseDigest`, `isDigest` and `digestOf` make one, so it is
 * safe in a path.
 */
export type Digest = string & { readonly [brand]: 'Digest' }

/** The length of the hex form by algorithm; OCI and `node:crypto` have the same names for them. */
const hexLengths = { sha256: 64, sha512: 128 } as const

export type DigestAlgorithm = keyof typeof hexLengths

/**
 * Parses a digest strictly: known algorithm, exact length, lower-case hex, nothing else.
 *
 * @throws OciError `ERR_DIGEST_INVALID`
 * @see image-spec v1.1.1 descriptor.md "Digests"
 */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text
  throw new OciError('ERR_DIGEST_INVALID', `"${text.slice(0, 160)}" is not a digest`, {
    hint: 'use sha256: and 64 lower-case hex digits, or sha512: and 128',
  })
}

/** True when `parseDigest` would accept `text`. */
export function isDigest(text: string): text is Digest {
  const [algorithm = '', hex = '', ...rest] = text.split(':')
  return rest.length === 0 && isAlgorithm(algorithm) && hex.length === hexLengths[algorithm] && /^[0-9a-f]+$/.test(hex)
}

/** The digest of a finished hash: `digestOf('sha256', hash.digest('hex'))`. */
export const digestOf = (algorithm: DigestAlgorithm, hex: string): Digest => parseDigest(`${algorithm}:${hex}`)

/** The algorithm before the colon. */
export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256'
}

/** The hex form after the colon. */
export const digestHex = (digest: Digest): string => digest.slice(digest.indexOf(':') + 1)

function isAlgorithm(name: string): name is DigestAlgorithm {
  return Object.hasOwn(hexLengths, name)
}
