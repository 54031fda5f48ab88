import { join, resolve } from 'node:path'
import { OciError } from '../../errors.ts'
import { choosePlatform } from '../../oci/choose-platform.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { maxManifestBytes } from '../../oci/limits.ts'
import { placeNameKind, splitPath } from '../../oci/place-name.ts'
import { parsePlatform } from '../../oci/platform.ts'
import { formatReference, type Reference } from '../../oci/reference.ts'
import { allowReference } from '../../registry/access.ts'
import { lookedUpFiles } from '../../registry/looked-up-files.ts'
import type { RegistryOptions } from '../../registry/options.ts'
import { resolveReference } from '../../registry/short-names.ts'
import type { Image } from '../../source/image.ts'
import { defaultPlatform, imageOf, resolveImage } from '../../source/resolve-image.ts'
import { openSource } from '../../source/source.ts'
import type { Store } from '../../store/store.ts'
import type { FetchOptions, TriedImage } from './fetch-tried-image.ts'

/** When an image is fetched from its registry: each time, where the store has none of its name, or not at all. */
export type PullPolicy = 'always' | 'missing' | 'never'

export interface TriedImageOptions extends RegistryOptions, FetchOptions {
  readonly pull?: PullPolicy | undefined
  /** Called before a file is looked at that decides which image a name stands for; without a path where that is no file. */
  readonly onLook: (path?: string) => void
}

/**
 * Finds an image by a name as `pull` and `unpack` take it: in the store, in its registry, or in a file, a directory or a daemon.
 *
 * @throws OciError as `pull` and `unpack`; `ERR_IMAGE_NOT_FOUND` it would have to be fetched, and may not be
 */
export async function findTriedImage(name: string, store: Store, options: TriedImageOptions): Promise<TriedImage> {
  const { env = process.env, onLook } = options
  for (const path of lookedUpFiles(env, options.policy)) onLook(path)
  if (placeNameKind(name) !== undefined) return openPlace(name, options)
  const reference = await resolveReference(name.replace(/^docker:\/\//, ''), env)
  const signatures = await allowReference(reference, options)
  if (options.pull === 'always') onLook()
  else {
    onLook(join(store.path, 'index.json'))
    const image = await storedImage(reference, store, options)
    if (image !== undefined) return { image, stored: async () => {}, close: async () => {} }
    if (options.pull === 'never') throw notStored(reference, store)
  }
  const { fetchTriedImage } = await import('./fetch-tried-image.ts')
  return await fetchTriedImage(reference, { ...options, store, signatures })
}

async function openPlace(name: string, options: TriedImageOptions): Promise<TriedImage> {
  const { platform, env, policy, signal, onLook } = options
  const files = filesOfPlace(name)
  if (files.length === 0) onLook()
  for (const path of files) onLook(path)
  const source = await openSource(name, { env, policy, signal })
  try {
    const image = await source.image(platform === undefined ? undefined : parsePlatform(platform))
    return { image, stored: async () => {}, close: () => source.close() }
  } catch (error) {
    await source.close()
    throw error
  }
}

/** The files that change when the image in a place does; none for a daemon and a stream. */
function filesOfPlace(name: string): readonly string[] {
  const [, kind, rest = ''] = /^(oci|oci-archive|docker-archive|rootfs):(.*)$/s.exec(name) ?? []
  if (kind === undefined && name.startsWith('docker-daemon:')) return []
  const [path] = kind === undefined ? [name] : splitPath(rest)
  if (path === '-' || path === '') return []
  return [resolve(path), resolve(path, 'index.json')]
}

/** The image of the store that a name and a platform stand for, if the store has all of it. */
async function storedImage(
  reference: Reference,
  store: Store,
  { platform }: TriedImageOptions,
): Promise<Image | undefined> {
  const name = formatReference(reference)
  const found = await store.find(name)
  const wanted = platform === undefined ? undefined : parsePlatform(platform)
  const [only] = found
  const chosen =
    choosePlatform(found, wanted ?? defaultPlatform()) ??
    (wanted === undefined && found.length === 1 ? only : undefined)
  if (chosen === undefined || !(await store.has(chosen))) return undefined
  const read = (blob: Descriptor, _kind: string, limit: number) => store.read(blob, limit)
  const root = { descriptor: chosen, content: await store.read(chosen, maxManifestBytes) }
  const resolved = await resolveImage(root, { name, platform: wanted, read })
  for (const layer of resolved.manifest.layers) if (!(await store.has(layer))) return undefined
  return imageOf(resolved, name, (layer) => store.open(layer))
}

function notStored(reference: Reference, { path }: Store): OciError {
  return new OciError('ERR_IMAGE_NOT_FOUND', `${formatReference(reference)} is not in the store ${path}`, {
    hint: 'leave out --pull never, or run "bundle-tool images" to see what there is',
  })
}
