import type { Descriptor } from './descriptor.ts'
import { normalizePlatform, type Platform } from './platform.ts'

/**
 * Finds the entry of an index that fits `wanted` best; undefined if none fits.
 *
 * The exact variant wins, then lesser ones in order, then none. Attestations (`unknown/unknown`) never match; an entry
 * without a platform matches only if it is the only candidate. The first of equal entries wins (image-index.md "manifests").
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

/** True when an index entry is a build attestation, not an image: BuildKit gives these the platform unknown/unknown. */
export function isAttestation({ platform, annotations }: Descriptor): boolean {
  const isUnknown = platform?.os === 'unknown' && platform.architecture === 'unknown'
  return isUnknown || annotations?.['vnd.docker.reference.type'] === 'attestation-manifest'
}

/** Rates how well `offered` fits `wanted`: 0 is perfect, more is worse, undefined means that it cannot run there. */
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

/** Variants of each architecture, best first: a CPU of one runs programs for it and for those after it. */
export const variantOrder: Readonly<Record<string, readonly string[]>> = {
  arm: ['v8', 'v7', 'v6', 'v5'],
  amd64: ['v4', 'v3', 'v2', 'v1'],
  arm64: ['v9', 'v8'],
}

/** The variant of an architecture that is named without one. */
export const impliedVariant: Readonly<Record<string, string>> = { arm: 'v7', amd64: 'v1', arm64: 'v8' }
