import * as z from 'zod/mini'
import { OciError } from '../errors.ts'
import type { Descriptor } from './descriptor.ts'
import { type Digest, isDigest } from './digest.ts'
import { check, inspectValue, parseJson } from './document.ts'
import { bareMediaType, mediaKind, ociIndexType, ociManifestType } from './media-types.ts'
import { type DocumentFacts, invalidDocument, type Problem } from './problem.ts'

/** The manifest of one image, an OCI image manifest or Docker schema 2. Its lowest layer comes first. */
export interface Manifest {
  readonly kind: 'manifest'
  readonly mediaType: string
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly annotations?: Readonly<Record<string, string>> | undefined
  readonly artifactType?: string | undefined
  readonly subject?: Descriptor | undefined
}

/** An OCI image index or Docker manifest list: several images, usually one per platform. */
export interface Index {
  readonly kind: 'index'
  readonly mediaType: string
  readonly manifests: readonly Descriptor[]
  /** Entries that cannot be used, of a digest algorithm that is not known here for instance. */
  readonly odd: readonly OddEntry[]
  readonly annotations?: Readonly<Record<string, string>> | undefined
  readonly artifactType?: string | undefined
  readonly subject?: Descriptor | undefined
}

/** An entry of an index that is no descriptor of this tool's, with its problems. */
export interface OddEntry {
  readonly value: unknown
  readonly problems: readonly Problem[]
}

const digest = z.custom<Digest>(
  (value) => typeof value === 'string' && isDigest(value),
  'must be sha256: and 64 lower-case hex digits, or sha512: and 128',
)
const annotations = z.optional(z.record(z.string(), z.string()))

const platform = z.object({
  os: z._default(z.string(), ''),
  architecture: z._default(z.string(), ''),
  variant: z.optional(z.string()),
  'os.version': z.optional(z.string()),
  'os.features': z.optional(z.array(z.string())),
})

const descriptor: z.ZodMiniType<Descriptor> = z.object({
  mediaType: z.string().check(z.minLength(1, 'must not be empty')),
  digest,
  size: z.int().check(z.nonnegative('must not be negative')),
  urls: z.optional(z.array(z.string())),
  annotations,
  artifactType: z.optional(z.string()),
  platform: z.optional(
    z.pipe(
      platform,
      z.transform((value) => (value.os === '' && value.architecture === '' ? undefined : value)),
    ),
  ),
})

const common = {
  schemaVersion: z.literal(2),
  mediaType: z.optional(z.string()),
  annotations,
  artifactType: z.optional(z.string()),
  subject: z.optional(descriptor),
}
// Go writes an empty list as null, which is read as absent.
const manifestSchema = z.object({ ...common, config: descriptor, layers: z._default(z.array(descriptor), []) })
const indexSchema = z.object({ ...common, manifests: z._default(z.array(z.unknown()), []) })

/** The source of a document, and the media type that it was announced with. */
export interface ManifestOrigin {
  /** Names it in errors, as in `manifest of docker.io/library/alpine:3.14`. */
  readonly what: string
  /** The media type of its descriptor or its Content-Type; the document's own must agree. */
  readonly mediaType?: string | undefined
  /** True when the document must be an index, which need not say so. */
  readonly isIndex?: boolean
}

/**
 * Parses a manifest or an index, and refuses a document that could be taken for both (CVE-2021-41190). Entries of an index
 * that are invalid are set apart, so that they do not spoil the others; an index with no other entries is refused.
 *
 * @throws OciError `ERR_MANIFEST_INVALID` with every problem; `ERR_NOT_SUPPORTED` for Docker schema 1
 * @see image-spec v1.1.1 manifest.md, image-index.md
 */
export function parseManifest(content: Uint8Array, origin: ManifestOrigin): Manifest | Index {
  const facts: DocumentFacts = { what: origin.what, code: 'ERR_MANIFEST_INVALID', replacesBytes: true }
  const value = check(z.record(z.string(), z.unknown()), parseJson(content, facts), facts)
  refuseSchema1(value, origin)
  const kind = documentKind(value, origin)
  const mediaType = agreedMediaType(value.mediaType, origin, kind)
  if (kind === 'index') {
    const { schemaVersion: _, manifests, ...index } = check(indexSchema, value, facts)
    return { ...index, ...splitEntries(manifests, facts), kind, mediaType }
  }
  const { schemaVersion: _, ...manifest } = check(manifestSchema, value, facts)
  return { ...manifest, kind, mediaType }
}

function splitEntries(entries: readonly unknown[], facts: DocumentFacts): Pick<Index, 'manifests' | 'odd'> {
  const parsed = entries.map((value, index) => ({ value, ...inspectValue(descriptor, value, ['manifests', index]) }))
  const manifests = parsed.flatMap(({ data }) => (data === undefined ? [] : [data]))
  const odd = parsed.flatMap(({ value, problems }) => (problems.length === 0 ? [] : [{ value, problems }]))
  if (manifests.length === 0 && odd.length > 0) throw unusableEntries(odd, facts)
  return { manifests, odd }
}

/** The error for the entries of an index that cannot be used. */
export function unusableEntries(odd: readonly OddEntry[], facts: DocumentFacts): OciError {
  return invalidDocument(
    odd.flatMap(({ problems }) => problems),
    facts,
  )
}

function documentKind(
  value: Record<string, unknown>,
  { what, mediaType, isIndex }: ManifestOrigin,
): Index['kind'] | Manifest['kind'] {
  const hasLayers = value.layers !== undefined || value.config !== undefined || value.fsLayers !== undefined
  const hasManifests = value.manifests !== undefined
  if (hasLayers && hasManifests)
    throw new OciError('ERR_MANIFEST_INVALID', `${what} is both a manifest and an index`, { pointer: '/manifests' })
  if (hasLayers || hasManifests) return hasManifests ? 'index' : 'manifest'
  const type = typeof value.mediaType === 'string' ? value.mediaType : mediaType
  if (isIndex || (type !== undefined && mediaKind(type) === 'index')) return 'index'
  if (type === artifactManifestType) throw withdrawnArtifact(what)
  throw new OciError('ERR_MANIFEST_INVALID', `${what} is neither a manifest (layers) nor an index (manifests)`)
}

/** The type of the manifests of artifacts in the release candidates of image-spec 1.1. */
const artifactManifestType = 'application/vnd.oci.artifact.manifest.v1+json'

const withdrawnArtifact = (what: string): OciError =>
  new OciError('ERR_NOT_SUPPORTED', `${what} is an artifact manifest, a format withdrawn before image-spec 1.1`, {
    hint: 'push the artifact again with a current version of the tool that made it',
  })

/** The media type of a document. Refuses one that contradicts its announced media type or its members. */
function agreedMediaType(own: unknown, { what, mediaType }: ManifestOrigin, kind: 'manifest' | 'index'): string {
  const embedded = typeof own === 'string' && own !== '' ? bareMediaType(own) : undefined
  const announced = mediaType === undefined ? undefined : bareMediaType(mediaType)
  const isKnown = announced !== undefined && mediaKind(announced) !== undefined
  if (embedded !== undefined && isKnown && embedded !== announced) {
    throw new OciError('ERR_MANIFEST_INVALID', `${what} says it is ${embedded}, and was announced as ${announced}`, {
      pointer: '/mediaType',
    })
  }
  const agreed = embedded ?? (isKnown ? announced : kind === 'index' ? ociIndexType : ociManifestType)
  if (mediaKind(agreed) !== kind) {
    throw new OciError(
      'ERR_MANIFEST_INVALID',
      `${what} has the members of a document of kind ${kind}, and the media type ${agreed}`,
      {
        pointer: '/mediaType',
      },
    )
  }
  return agreed
}

function refuseSchema1(value: Record<string, unknown>, { what, mediaType }: ManifestOrigin): void {
  const isAnnounced = mediaType !== undefined && mediaKind(mediaType) === 'schema1'
  if (value.schemaVersion !== 1 && !isAnnounced) return
  throw new OciError('ERR_NOT_SUPPORTED', `${what} is a Docker schema 1 manifest, a format withdrawn in 2020`, {
    hint: 'pull and push the image once with a current Docker or skopeo, which converts it',
  })
}
