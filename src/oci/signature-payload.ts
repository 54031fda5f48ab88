import * as z from 'zod/mini'
import { type Digest, parseDigest } from './digest.ts'
import { check, parseJson } from './document.ts'

/** The media type of the payload that cosign signs, and the annotation with the signature in Base64. */
export const simpleSigningType = 'application/vnd.dev.cosign.simplesigning.v1+json'
export const signatureAnnotation = 'dev.cosignproject.cosign/signature'

/** Largest payload that is read, in bytes. */
export const maxPayloadBytes: number = 4 * 1024 * 1024

/** The signed statement about an image. */
export interface SignaturePayload {
  readonly manifestDigest: Digest
  /** The name of the image for which the signature was made. */
  readonly dockerReference: string
}

const payloadSchema = z.strictObject({
  critical: z.strictObject({
    type: z.literal('cosign container image signature'),
    image: z.strictObject({ 'docker-manifest-digest': z.string() }),
    identity: z.strictObject({ 'docker-reference': z.string() }),
  }),
  optional: z.optional(z.unknown()),
})

/**
 * Parses the payload of a signature, whose signature the caller has verified.
 * @throws OciError `ERR_POLICY` it has another form; `ERR_DIGEST_INVALID`
 * @see containers/image docs/containers-signature.5.md; cosign SPEC.md
 */
export function parseSignaturePayload(content: Uint8Array): SignaturePayload {
  const facts = { what: 'the signed payload', code: 'ERR_POLICY' } as const
  const { image, identity } = check(payloadSchema, parseJson(content, facts), facts).critical
  return {
    manifestDigest: parseDigest(image['docker-manifest-digest']),
    dockerReference: identity['docker-reference'],
  }
}

/** The tag under which cosign stores the signatures of a manifest, in the manifest's repository. */
export const signatureTag = (manifest: Digest): string => `${manifest.replace(':', '-')}.sig`
