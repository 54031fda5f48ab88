import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isSystemError, OciError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, digestAlgorithm, digestOf } from '../oci/digest.ts'
import { parseManifest } from '../oci/manifest.ts'
import type { KeySource, SigstoreSigned } from '../oci/policy.ts'
import { formatReference, type Reference } from '../oci/reference.ts'
import {
  maxPayloadBytes,
  parseSignaturePayload,
  signatureAnnotation,
  signatureTag,
  simpleSigningType,
} from '../oci/signature-payload.ts'
import { isIdentityAccepted } from '../oci/signed-identity.ts'

/** A signature that a policy requires. */
export interface WantedSignature extends SigstoreSigned {
  /** The policy and the place in it, for messages. */
  readonly by: string
}

/** The manifest of one image, which is what signatures sign, and the name by which the image was requested. */
export interface SignedImage {
  readonly reference: Reference
  readonly manifest: { readonly descriptor: Descriptor; readonly content: Uint8Array }
}

/** The repository of the image, for reading its signatures. */
export interface SignatureStore {
  fetchManifest(tag: string): Promise<{ readonly descriptor: Descriptor; readonly content: Uint8Array }>
  /** Reads a whole blob, verified; refuses more than `limit` bytes. */
  read(blob: Descriptor, limit: number): Promise<Uint8Array>
}

/** The most signatures of one image that are checked. */
const maxSignatures = 128

/**
 * Refuses an image unless it has each wanted signature, in cosign's form: under the tag `sha256-HEX.sig` of its
 * repository, by one of the keys (ECDSA, RSA or Ed25519), of its manifest, for an identity that the policy accepts.
 *
 * @throws OciError `ERR_POLICY` with the fault of each signature found; `ERR_CONFIG_INVALID` a key cannot be used
 * @see cosign specs/SIGNATURE_SPEC.md; containers-policy.json(5) "sigstoreSigned"
 */
export async function checkSignatures(
  wanted: readonly WantedSignature[],
  image: SignedImage,
  store: SignatureStore,
): Promise<void> {
  if (wanted.length === 0) return
  const checks = await Promise.all(wanted.map(async (want) => ({ want, keys: await readKeys(want) })))
  const tag = signatureTag(image.manifest.descriptor.digest)
  const layers = await findSignatures(tag, store)
  const payloads = new Map<Digest, Uint8Array>()
  const read = async (layer: Descriptor): Promise<Uint8Array> => {
    const payload = payloads.get(layer.digest) ?? (await store.read(layer, maxPayloadBytes))
    payloads.set(layer.digest, payload)
    return payload
  }
  for (const { want, keys } of checks) {
    const faults: string[] = []
    let isSigned = false
    for (const layer of layers) {
      const fault = findFault(layer.annotations?.[signatureAnnotation], await read(layer), { want, keys, image })
      isSigned ||= fault === undefined
      if (fault === undefined) break
      faults.push(fault)
    }
    if (!isSigned) throw unsigned(want, image, { tag, faults })
  }
}

/**
 * The descriptors of the signed payloads, each with its signature in an annotation; none when the tag does not exist.
 */
async function findSignatures(tag: string, store: SignatureStore): Promise<readonly Descriptor[]> {
  try {
    const { content, descriptor } = await store.fetchManifest(tag)
    const what = `the manifest ${tag} of signatures`
    const manifest = parseManifest(content, { what, mediaType: descriptor.mediaType })
    if (manifest.kind === 'index') throw new OciError('ERR_POLICY', `${what} is an index`)
    return manifest.layers.filter(({ mediaType }) => mediaType === simpleSigningType).slice(0, maxSignatures)
  } catch (error) {
    if (error instanceof OciError && error.code === 'ERR_IMAGE_NOT_FOUND') return []
    throw error
  }
}

interface Check {
  readonly want: WantedSignature
  readonly keys: readonly KeyObject[]
  readonly image: SignedImage
}

/**
 * The reason why a signature is not accepted, or undefined when it is. The payload is parsed only after it is verified.
 */
function findFault(signature: string | undefined, payload: Uint8Array, { want, keys, image }: Check) {
  if (signature === undefined) return 'one has no signature in its annotations'
  const bytes = Buffer.from(signature, 'base64')
  if (!keys.some((key) => isMadeBy(key, payload, bytes))) return 'one was made by none of the keys of the policy'
  try {
    const { manifestDigest, dockerReference } = parseSignaturePayload(payload)
    if (!isDigestOf(manifestDigest, image.manifest.content)) return `one is of the manifest ${manifestDigest}`
    if (!isIdentityAccepted(want.signedIdentity, image.reference, dockerReference)) {
      return `one is for the name "${dockerReference}", which "${want.signedIdentity.type}" does not accept`
    }
    return undefined
  } catch (error) {
    if (error instanceof OciError) return `one is not understood: ${error.message}`
    throw error
  }
}

/** True when `key` made the signature: with SHA-256, except for Ed25519, which has a hash of its own. */
function isMadeBy(key: KeyObject, payload: Uint8Array, signature: Uint8Array): boolean {
  return verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, key, signature)
}

function isDigestOf(digest: Digest, content: Uint8Array): boolean {
  const algorithm = digestAlgorithm(digest)
  return digestOf(algorithm, createHash(algorithm).update(content).digest('hex')) === digest
}

const readKeys = ({ keys, by }: WantedSignature): Promise<KeyObject[]> =>
  Promise.all(keys.map((source, index) => readKey(source, by, index)))

/**
 * Reads a key. One that cannot be used is an error even where another one would do: it would be missed when it is
 * needed.
 */
async function readKey(source: KeySource, by: string, index: number): Promise<KeyObject> {
  const name = 'path' in source ? `the key ${source.path}` : `key ${index + 1}`
  const fail = (why: string): OciError => new OciError('ERR_CONFIG_INVALID', `${by}: cannot use ${name}: ${why}`)
  const pem = 'path' in source ? await readText(source.path, fail) : source.pem
  // Left to itself, createPublicKey takes the public half of private keys and certificates.
  if (!/^\s*-----BEGIN (RSA )?PUBLIC KEY-----/.test(pem)) throw fail('it is not a public key in PEM')
  const key = parseKey(pem, fail)
  const type = String(key.asymmetricKeyType)
  if (['ec', 'rsa', 'ed25519'].includes(type)) return key
  throw fail(`it is of the type "${type}", not ECDSA, RSA or Ed25519`)
}

async function readText(path: string, fail: (why: string) => OciError): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw fail(isSystemError(error) ? String(error.code) : String(error))
  }
}

function parseKey(pem: string, fail: (why: string) => OciError): KeyObject {
  try {
    return createPublicKey(pem)
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error))
  }
}

function unsigned(
  { by }: WantedSignature,
  { reference, manifest }: SignedImage,
  { tag, faults }: { readonly tag: string; readonly faults: readonly string[] },
): OciError {
  const { digest } = manifest.descriptor
  const { registry, repository } = reference
  const ask = `${by} asks for a signature of ${formatReference(reference)}`
  if (faults.length === 0) {
    return new OciError('ERR_POLICY', `${ask}: there is none at the tag ${tag}`, {
      hint: `sign the manifest itself, not only an index that names it: ${registry}/${repository}@${digest}`,
    })
  }
  return new OciError('ERR_POLICY', `${ask}: ${[...new Set(faults)].join('; ')}`, {
    hint: 'sign the image by a key and for a name that the policy has, or correct the policy',
  })
}
