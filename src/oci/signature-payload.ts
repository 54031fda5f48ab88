import * as z from 'zod/mini'
import { type Digest, parseDigest } from './digest.ts'
import { check, parseJson } from './document.ts'

/** Media type of what cosign signs, and the annotation beside it that has the signature in Base64. */
export const simpleSigningType = 'application/vnd.dev.cosign.simplesigning.v1+json'
export const signatureAnnotation = 'dev.cosignproject.cosign/signature'

/** Largest payload that is read, in bytes. */
export const maxPayloadBytes: number = 4 * 1024 * 1024

/** What a signature says of an image. */
export interface SignaturePayload {
  readonly manifestDigest: Digest
  /** The name that it was signed for. */
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

/** @throws OciError `ERR_POLICY`, `ERR_DIGEST_INVALID` @see containers/image docs/containers-signature.5.md; cosign SPEC.md */
export function parseSignaturePayload(content: Uint8Array): SignaturePayload {
  const facts = { what: 'what is signed', code: 'ERR_POLICY' } as const
  const { image, identity } = check(payloadSchema, parseJson(content, facts), facts).critical
  return {
    manifestDigest: parseDigest(image['docker-manifest-digest']),
    dockerReference: identity['docker-reference'],
  }
}

/** The tag that cosign keeps the signatures of a manifest under, in the manifest's repository. */
export const signatureTag = (manifest: Digest): string => `${manifest.replace(':', '-')}.sig`
