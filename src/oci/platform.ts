import { OciError } from '../errors.ts'
import type { Descriptor } from './descriptor.ts'

/**
 * What a program was built for, in Go's words.
 *
 * @see image-spec v1.1.1 image-index.md "platform"
 */
export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string | undefined
  readonly 'os.version'?: string | undefined
  readonly 'os.features'?: readonly string[] | undefined
}

/** Names that other systems use for an architecture. */
const aliases: Readonly<Record<string, Pick<Platform, 'architecture' | 'variant'>>> = {
  x64: { architecture: 'amd64' },
  x86_64: { architecture: 'amd64' },
  'x86-64': { architecture: 'amd64' },
  i386: { architecture: '386' },
  ia32: { architecture: '386' },
  aarch64: { architecture: 'arm64' },
  armhf: { architecture: 'arm', variant: 'v7' },
  armel: { architecture: 'arm', variant: 'v6' },
  mipsel: { architecture: 'mipsle' },
  mips64el: { architecture: 'mips64le' },
  loong64: { architecture: 'loong64' },
  ppc64el: { architecture: 'ppc64le' },
}

/** Variants from best to least, per architecture: a CPU of one runs what was built for it and for those after it. */
const variantOrder: Readonly<Record<string, readonly string[]>> = {
  arm: ['v8', 'v7', 'v6', 'v5'],
  amd64: ['v4', 'v3', 'v2', 'v1'],
  arm64: ['v9', 'v8'],
}

/** The variant that an architecture without one means. */
const impliedVariant: Readonly<Record<string, string>> = { arm: 'v7', amd64: 'v1', arm64: 'v8' }

/**
 * Reads `OS/ARCH[/VARIANT]`, or `ARCH[/VARIANT]` of Linux when the first word is an architecture's other name.
 *
 * @throws OciError `ERR_USAGE` for anything else
 */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/')
  const [os = '', architecture = '', variant] = parts
  if (parts.length < 2 || parts.length > 3 || !parts.every((part) => /^[a-z0-9][a-z0-9._-]*$/.test(part))) {
    throw new OciError('ERR_USAGE', `"${text}" is not a platform`, {
      hint: 'write OS/ARCH[/VARIANT], as in linux/arm64',
    })
  }
  return normalizePlatform({ os, architecture, ...(variant !== undefined && { variant }) })
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`
}

/**
 * The platform of this host.
 *
 * @param host as `process.arch` and, for 32-bit ARM, `process.config.variables.arm_version` tell it
 */
export function hostPlatform(host: { readonly arch: string; readonly armVersion?: string | undefined }): Platform {
  const variant = host.arch === 'arm' && host.armVersion !== undefined ? `v${host.armVersion}` : undefined
  const little = host.arch === 'ppc64' ? 'ppc64le' : host.arch
  return normalizePlatform({ os: 'linux', architecture: little, ...(variant !== undefined && { variant }) })
}

/**
 * The entry of an index that fits `wanted` best, or undefined.
 *
 * The exact variant wins, then lesser ones in order, then none. Attestations (`unknown/unknown`) never match; an entry
 * without a platform matches only when it is the single candidate. Of equals the first wins (image-index.md "manifests").
 */
export function choosePlatform(entries: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  const candidates = entries.filter((entry) => !isAttestation(entry))
  const ranked = candidates
    .map((entry) => ({ entry, rank: rankPlatform(entry.platform, wanted) }))
    .filter(({ rank }) => rank !== undefined)
    .sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0))
  const [only] = candidates
  if (candidates.length === 1 && only !== undefined && only.platform === undefined) return only
  return ranked[0]?.entry
}

/** Whether an index entry is a build attestation, not an image: BuildKit gives these the platform unknown/unknown. */
export function isAttestation({ platform, annotations }: Descriptor): boolean {
  const isUnknown = platform?.os === 'unknown' && platform.architecture === 'unknown'
  return isUnknown || annotations?.['vnd.docker.reference.type'] === 'attestation-manifest'
}

/** 0 for a perfect fit, more for a worse one, undefined when `offered` cannot run on `wanted`. */
export function rankPlatform(offered: Platform | undefined, wanted: Platform): number | undefined {
  if (offered === undefined) return undefined
  const [a, b] = [normalizePlatform(offered), normalizePlatform(wanted)]
  if (a.os !== b.os || a.architecture !== b.architecture) return undefined
  const order = variantOrder[b.architecture]
  const implied = impliedVariant[b.architecture]
  const [have, want] = [a.variant ?? implied, b.variant ?? implied]
  if (have === want) return a.variant === b.variant ? 0 : 0.5
  if (order === undefined) return a.variant === undefined || b.variant === undefined ? 1 : undefined
  const [at, from] = [order.indexOf(have ?? ''), order.indexOf(want ?? '')]
  return at > from && from >= 0 ? at - from : undefined
}

function normalizePlatform(platform: Platform): Platform {
  const os = platform.os.toLowerCase()
  const name = platform.architecture.toLowerCase()
  const known = Object.hasOwn(aliases, name) ? aliases[name] : undefined
  const variant = platform.variant || known?.variant
  const { variant: _dropped, ...rest } = platform
  const variantWord = variant === undefined ? undefined : /^\d/.test(variant) ? `v${variant}` : variant.toLowerCase()
  return {
    ...rest,
    os,
    architecture: known?.architecture ?? name,
    ...(variantWord !== undefined && { variant: variantWord }),
  }
}
