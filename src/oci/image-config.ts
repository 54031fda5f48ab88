import * as z from 'zod/mini'
import { OciError } from '../errors.ts'
import { type Digest, isDigest } from './digest.ts'
import { check, parseJson } from './document.ts'
import type { Manifest } from './manifest.ts'
import type { Platform } from './platform.ts'
import type { DocumentFacts } from './problem.ts'

/**
 * The image config: the platform of an image, its layers, and how its program is started. `null` members are absent. An
 * image that does not say its platform has the empty string there, and one without `diff_ids` has no layers.
 *
 * @see image-spec v1.1.1 config.md "Properties"
 */
export interface ImageConfig {
  readonly created?: string | undefined
  readonly author?: string | undefined
  readonly architecture: string
  readonly os: string
  readonly variant?: string | undefined
  readonly 'os.version'?: string | undefined
  readonly 'os.features'?: readonly string[] | undefined
  readonly config?: ExecutionConfig | undefined
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly Digest[] }
  readonly history?: readonly History[] | undefined
}

/** The defaults for starting the image's program; every member is optional and may be empty. */
export interface ExecutionConfig {
  readonly User?: string | undefined
  readonly ExposedPorts?: Readonly<Record<string, unknown>> | undefined
  readonly Env?: readonly string[] | undefined
  readonly Entrypoint?: readonly string[] | undefined
  readonly Cmd?: readonly string[] | undefined
  readonly Volumes?: Readonly<Record<string, unknown>> | undefined
  readonly WorkingDir?: string | undefined
  readonly Labels?: Readonly<Record<string, string>> | undefined
  readonly StopSignal?: string | undefined
}

/** The origin of one layer; entries with `empty_layer` have no diffID. */
export interface History {
  readonly created?: string | undefined
  readonly created_by?: string | undefined
  readonly author?: string | undefined
  readonly comment?: string | undefined
  readonly empty_layer?: boolean | undefined
}

const strings = z.optional(z.array(z.string()))
const set = z.optional(z.record(z.string(), z.unknown()))

const digest = z.custom<Digest>(
  (value) => typeof value === 'string' && isDigest(value),
  'must be a digest: sha256: and 64 lower-case hex digits',
)

const execution: z.ZodMiniType<ExecutionConfig> = z.object({
  User: z.optional(z.string()),
  ExposedPorts: set,
  Env: strings,
  Entrypoint: strings,
  Cmd: strings,
  Volumes: set,
  WorkingDir: z.optional(z.string()),
  Labels: z.optional(z.record(z.string(), z.string())),
  StopSignal: z.optional(z.string()),
})

const history: z.ZodMiniType<History> = z.object({
  created: z.optional(z.string()),
  created_by: z.optional(z.string()),
  author: z.optional(z.string()),
  comment: z.optional(z.string()),
  empty_layer: z.optional(z.boolean()),
})

const imageConfigSchema: z.ZodMiniType<ImageConfig> = z.object({
  created: z.optional(z.string()),
  author: z.optional(z.string()),
  architecture: z._default(z.string(), ''),
  os: z._default(z.string(), ''),
  variant: z.optional(z.string()),
  'os.version': z.optional(z.string()),
  'os.features': strings,
  config: z.optional(execution),
  rootfs: z.object({
    type: z.literal('layers'),
    diff_ids: z._default(z.array(digest), []),
  }),
  history: z.optional(z.array(history)),
})

/**
 * Parses an image config. Bytes that are not UTF-8 become U+FFFD, as for docker and podman.
 *
 * @param what names it in errors, as in `image config sha256:1234...`
 * @throws OciError `ERR_MANIFEST_INVALID` with every problem
 */
export function parseImageConfig(content: Uint8Array | string, what: string): ImageConfig {
  const facts: DocumentFacts = { what, code: 'ERR_MANIFEST_INVALID', replacesBytes: true }
  return check(imageConfigSchema, parseJson(content, facts), facts)
}

/**
 * Refuses an image whose manifest and image config have different counts of layers.
 *
 * @throws OciError `ERR_MANIFEST_INVALID`
 * @see image-spec v1.1.1 config.md "rootfs"
 */
export function checkLayerCount(manifest: Manifest, image: ImageConfig, what: string): void {
  const [layers, diffIDs] = [manifest.layers.length, image.rootfs.diff_ids.length]
  if (layers === diffIDs) return
  throw new OciError('ERR_MANIFEST_INVALID', `${what} has ${layers} layers, and its image config ${diffIDs} diff_ids`, {
    pointer: '/rootfs/diff_ids',
  })
}

/** The platform of an image config; undefined if that does not say it. */
export function imagePlatform(image: ImageConfig): Platform | undefined {
  if (image.os === '' || image.architecture === '') return undefined
  return {
    os: image.os,
    architecture: image.architecture,
    ...(image.variant !== undefined && { variant: image.variant }),
  }
}
