import { createHash, type Hash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { OciError } from '../../errors.ts'
import type { TreeChanges } from '../../layer/diff.ts'
import { packTree } from '../../layer/pack.ts'
import type { TreeReader } from '../../layer/tree-reader.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { digestOf } from '../../oci/digest.ts'
import { ociGzipLayerType } from '../../oci/media-types.ts'
import { defaultStorePath } from '../../store/location.ts'
import { ownerOf } from '../../store/owner.ts'
import { openStoreToWrite, type Store } from '../../store/store.ts'
import { checkWritable } from '../../writable.ts'
import { type BaseImage, findBaseImage, layerFrom, parseLayoutName } from './base-image.ts'
import { rootfsOf } from './bundle-tree.ts'
import { compareWithBase } from './compare-with-base.ts'
import { makePrivateDirectory } from './private-directory.ts'
import { describeRepacked, type NewLayer } from './repacked-image.ts'

export interface RepackOptions {
  readonly bundle: string
  /** Where the image goes: `oci:DIR:TAG`; the layout is made if it is not there, and an image of that name replaced. */
  readonly image: string
  /** The image the bundle was made of, `oci:DIR[:TAG]`; default: what its `image.json` says, from DIR or the store. */
  readonly base?: string | undefined
  /** Instructions of a Dockerfile that change the image config: `CMD ["sh"]`. */
  readonly changes?: readonly string[] | undefined
  /** The entry of the image's history for the new layer. */
  readonly message?: string | undefined
  /** When the image was made; default: `SOURCE_DATE_EPOCH`, or now. */
  readonly created?: Date | undefined
  /** Directory of the store; default: /var/lib/bundle-tool, or `$XDG_DATA_HOME/bundle-tool` for others than root. */
  readonly store?: string | undefined
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly signal?: AbortSignal | undefined
  readonly warn?: ((message: string) => void) | undefined
}

export interface RepackResult {
  /** The new image, as `oci:DIR:TAG`. */
  readonly image: string
  /** Digest of the new manifest. */
  readonly digest: string
  /** The new layer; undefined when no file differs. */
  readonly layer: Descriptor | undefined
}

/**
 * Makes an image of a bundle: that of its base with one more layer, which has what the rootfs differs in. Unpacking the
 * image gives the same rootfs again.
 *
 * The base is unpacked once more for the comparison, beside the bundle: nothing is recorded or hashed when a bundle is
 * made, and a bundle that was copied or restored compares as well.
 * @throws OciError `ERR_BUNDLE_INVALID`, `ERR_IMAGE_NOT_FOUND`, `ERR_NOT_SUPPORTED`, `ERR_USAGE` and others
 */
export async function repack(options: RepackOptions): Promise<RepackResult> {
  const { env = process.env, changes = [] } = options
  const target = parseLayoutName(options.image)
  if (target.tag === undefined) {
    throw new OciError('ERR_USAGE', `"${options.image}" has no tag`, { hint: 'write oci:DIRECTORY:TAG' })
  }
  const bundle = resolve(options.bundle)
  const rootfs = rootfsOf(bundle)
  checkWritable(target.layout, {
    code: 'ERR_FILE_SYSTEM',
    what: `cannot write ${options.image}`,
    hint: 'name another directory',
    isMade: true,
  })
  const store = options.store ?? defaultStorePath(env)
  const base = await findBaseImage(bundle, { base: options.base, layouts: [target.layout, store] })
  const scratch = await makePrivateDirectory(join(dirname(bundle), `.${basename(bundle)}.partial-${ownerOf()}-`))
  try {
    const layer = await packChanges(rootfs, base, { ...options, scratch: scratch.anchor })
    const layout = await openStoreToWrite(resolve(target.layout))
    const created = options.created ?? defaultTime(env)
    const image = describeRepacked(base, { layer, changes, created, message: options.message })
    await copyLayers(layout, base)
    if (layer !== undefined) await layout.ingest(layer.blob, (start) => createReadStream(layer.path, { start })).done
    await layout.write(image.config.blob, image.config.content)
    await layout.write(image.manifest.blob, image.manifest.content)
    await layout.tag(target.tag, image.manifest.blob)
    return { image: options.image, digest: image.manifest.blob.digest, layer: layer?.blob }
  } finally {
    scratch.remove()
    scratch.close()
  }
}

interface PackedLayer extends NewLayer {
  /** Where its blob lies until it is in the layout. */
  readonly path: string
}

async function packChanges(
  rootfs: string,
  base: BaseImage,
  { scratch, signal, warn }: RepackOptions & { readonly scratch: string },
): Promise<PackedLayer | undefined> {
  return await compareWithBase({ rootfs, base, scratch, signal, warn }, async ({ after, changes }) => {
    if (changes.files.length === 0 && changes.whiteouts.length === 0) return undefined
    return await writeLayer(after.tree, changes, { path: join(scratch, 'layer'), base, signal })
  })
}

async function writeLayer(
  tree: TreeReader,
  { files, whiteouts }: TreeChanges,
  { path, base, signal }: { readonly path: string; readonly base: BaseImage; readonly signal: AbortSignal | undefined },
): Promise<PackedLayer> {
  const tarHash = createHash('sha256')
  const blobHash = createHash('sha256')
  let size = 0
  const archive = function* (): Generator<Buffer> {
    for (const piece of packTree(tree, files, whiteouts)) {
      tarHash.update(piece)
      yield Buffer.from(piece) // the piece's memory is used again while this one waits
    }
  }
  const counted = async function* (pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of pieces) {
      blobHash.update(piece)
      size += piece.length
      yield piece
    }
  }
  const ending = signal === undefined ? {} : { signal }
  try {
    await pipeline(Readable.from(archive()), createGzip(), counted, createWriteStream(path), ending)
  } finally {
    signal?.throwIfAborted() // the reason itself, and no AbortError around it
  }
  const blob = { mediaType: layerType(base), digest: digestFrom(blobHash), size }
  return { path, blob, diffID: digestFrom(tarHash) }
}

const digestFrom = (hash: Hash) => digestOf('sha256', hash.digest('hex'))

/** Docker's clients want Docker's layers in Docker's manifests. */
const layerType = ({ manifest }: BaseImage): string =>
  manifest.mediaType.startsWith('application/vnd.docker.')
    ? 'application/vnd.docker.image.rootfs.diff.tar.gzip'
    : ociGzipLayerType

async function copyLayers(layout: Store, base: BaseImage): Promise<void> {
  for (const layer of base.manifest.layers) {
    if (await layout.has(layer)) continue
    await layout.ingest(layer, (from) => layerFrom(base.layout, layer, from)).done
  }
}

/** @see https://reproducible-builds.org/specs/source-date-epoch/ */
function defaultTime(env: NodeJS.ProcessEnv): Date {
  const epoch = env.SOURCE_DATE_EPOCH
  if (epoch === undefined || epoch === '') return new Date()
  if (/^\d{1,11}$/.test(epoch)) return new Date(Number(epoch) * 1000)
  throw new OciError('ERR_USAGE', `SOURCE_DATE_EPOCH is "${epoch}", which is no number of seconds`)
}
