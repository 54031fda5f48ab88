import type { Descriptor } from '../oci/descriptor.ts'
import { maxManifestBytes } from '../oci/limits.ts'
import { parseManifest } from '../oci/manifest.ts'
import { mediaKind } from '../oci/media-types.ts'
import type { Store } from './store.ts'

/**
 * All blobs that a manifest or index of the store leads to, itself included. A missing manifest is listed, but nothing
 * below it.
 */
export async function reachable(store: Store, root: Descriptor): Promise<ReadonlyMap<string, Descriptor>> {
  const found = new Map<string, Descriptor>()
  const waiting = [root]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (found.has(next.digest)) continue
    found.set(next.digest, next)
    const kind = mediaKind(next.mediaType)
    if ((kind !== 'manifest' && kind !== 'index') || !(await store.has(next))) continue
    const content = await store.read(next, maxManifestBytes)
    const parsed = parseManifest(content, { what: `manifest ${next.digest}`, mediaType: next.mediaType })
    waiting.push(...(parsed.kind === 'index' ? parsed.manifests : [parsed.config, ...parsed.layers]))
  }
  return found
}
