import { readFileSync } from 'node:fs'
import { lstat, readdir, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isSystemError, leadsNowhere, OciError } from '../errors.ts'
import { makeDirectories } from '../make-directories.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { ociIndexType } from '../oci/media-types.ts'
import { checkWritable, whyNot } from '../writable.ts'
import { blobPath, collectBlob, openBlobFile } from './blob-file.ts'
import { replaceFile } from './files.ts'
import { type Ingest, type IngestEvents, type IngestFiles, ingest, ingestFiles, takeIn } from './ingest.ts'
import { checkLayoutVersion, readLayoutIndex, refNameAnnotation, updateLayoutIndex } from './layout.ts'
import { withLock } from './lock.ts'
import { isOwnerAlive } from './owner.ts'

/** Content-addressed blobs on disk: an OCI image layout, valid at every moment, however many processes use it. */
export interface Store {
  readonly path: string
  /** True when the blob is present with the right size; its bytes are verified when they are read. */
  has(blob: Descriptor): Promise<boolean>
  /**
   * A blob's bytes; a blob found damaged is removed, so that it is fetched anew.
   *
   * @throws OciError `ERR_IMAGE_NOT_FOUND`, `ERR_DIGEST_MISMATCH`, `ERR_STORE_INVALID`
   */
  open(blob: Descriptor): AsyncGenerator<Uint8Array>
  /**
   * A small blob in one buffer.
   * @throws OciError as `open`; `ERR_LIMIT_EXCEEDED` the blob is larger than `limit` bytes
   */
  read(blob: Descriptor, limit: number): Promise<Buffer>
  /**
   * Takes a blob into the store while it is fetched. Unfinished bytes outlive the process; the next ingest continues
   * from them.
   */
  ingest(
    blob: Descriptor,
    fetch: (from: number) => AsyncIterable<Uint8Array>,
    onProgress?: (bytes: number) => void,
  ): Ingest
  /** Takes a blob into the store that `work` assembles by `takeIn`, in this thread or another. */
  receive(blob: Descriptor, work: (files: IngestFiles, events: IngestEvents) => Promise<void>): Ingest
  /** Takes a blob into the store whose bytes are in memory. */
  write(blob: Descriptor, content: Uint8Array): Promise<void>
  /**
   * Lists a manifest under a name; the entry of the same name and platform is replaced. Its blobs must be in the store.
   */
  tag(name: string, manifest: Descriptor): Promise<void>
  /** A listed manifest by its digest. */
  findDigest(digest: Digest): Promise<Descriptor | undefined>
  /** Every listed manifest, newest first. */
  list(): Promise<readonly Descriptor[]>
  /** Removes manifests from the list; their blobs stay. @returns the number of removed manifests */
  unlist(isUnwanted: (manifest: Descriptor) => boolean): Promise<number>
  /** The listed manifests of a name, newest first. */
  find(name: string): Promise<Descriptor[]>
}

/** Age from which unfinished blobs are removed. */
const staleIngestMs = 7 * 24 * 3600 * 1000

/**
 * Opens the store at `path`. A missing one is created, readable by its owner alone, since it may hold private images.
 * @throws OciError `ERR_PERMISSION` the store cannot be created or written; `ERR_STORE_INVALID` the directory is
 *   something else
 */
export async function openStore(path: string): Promise<Store> {
  const unfinished = join(path, 'ingest')
  await prepare(path, unfinished)
  const store: Store = {
    path,
    async has(blob) {
      try {
        const stats = await lstat(blobPath(path, blob.digest))
        return stats.isFile() && stats.size === blob.size
      } catch (error) {
        if (isSystemError(error, 'ENOENT')) return false
        throw error
      }
    },
    async *open(blob) {
      try {
        yield* openBlobFile(path, blob)
      } catch (error) {
        if (error instanceof OciError && error.code === 'ERR_DIGEST_MISMATCH') {
          await rm(blobPath(path, blob.digest), { force: true })
        }
        throw error
      }
    },
    read: (blob, limit) => collectBlob(store.open(blob), blob, limit),
    ingest: (blob, fetch, onProgress) =>
      store.receive(blob, (files, { advance, verified }) => {
        const report = (bytes: number) => {
          advance(bytes)
          onProgress?.(bytes)
        }
        return takeIn(blob, files, { fetch, advance: report, verified })
      }),
    receive(blob, work) {
      const files = ingestFiles(blob, unfinished, blobPath(path, blob.digest))
      const taken = ingest(files, (events) => work(files, events))
      taken.done.catch(() => {}) // the caller awaits `done`; the reader of content() gets the error too
      return taken
    },
    async write(blob, content) {
      if (await store.has(blob)) return
      await store.ingest(blob, async function* (from) {
        yield content.subarray(from)
      }).done
    },
    async tag(name, manifest) {
      await updateLayoutIndex(path, (entries) => {
        const { annotations, ...rest } = manifest
        const entry = { ...rest, annotations: { ...annotations, [refNameAnnotation]: name } }
        return [entry, ...entries.filter((other) => nameOf(other) !== name || !isSamePlatform(other, manifest))]
      })
    },
    async findDigest(digest) {
      const { manifests } = await readLayoutIndex(path)
      const found = manifests.find((entry) => entry.digest === digest)
      return found !== undefined && (await store.has(found)) ? found : undefined
    },
    list: async () => (await readLayoutIndex(path)).manifests,
    async unlist(isUnwanted) {
      let removed = 0
      await updateLayoutIndex(path, (entries) => {
        const kept = entries.filter((entry) => !isUnwanted(entry))
        removed = entries.length - kept.length
        return kept
      })
      return removed
    },
    async find(name) {
      const { manifests } = await readLayoutIndex(path)
      return manifests.filter((entry) => nameOf(entry) === name)
    },
  }
  return store
}

/**
 * Opens the store as `openStore` does, for a caller that adds to it or removes from it.
 * @throws OciError as `openStore`; `ERR_PERMISSION` also when the store is on a read-only file system
 */
export async function openStoreToWrite(path: string): Promise<Store> {
  const store = await openStore(path)
  for (const directory of ['', 'ingest', 'blobs/sha256']) {
    checkWritable(join(path, directory), {
      code: 'ERR_PERMISSION',
      what: `cannot write to the store ${path}`,
      hint: ownStore,
    })
  }
  return store
}

const ownStore = 'name a directory of your own with --store'

const nameOf = (entry: Descriptor): string | undefined => entry.annotations?.[refNameAnnotation]

function isSamePlatform({ platform: a }: Descriptor, { platform: b }: Descriptor): boolean {
  return a?.os === b?.os && a?.architecture === b?.architecture && a?.variant === b?.variant
}

async function prepare(path: string, unfinished: string): Promise<void> {
  try {
    makeDirectories(path, 0o700)
    await refuseOthers(path)
    for (const directory of ['blobs/sha256', 'blobs/sha512']) makeDirectories(join(path, directory))
    makeDirectories(unfinished)
    await makeFile(
      join(path, 'index.json'),
      JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests: [] }),
    )
    await makeFile(join(path, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
    await removeStale(unfinished)
    await removeLeftovers(path)
  } catch (cause) {
    if (!leadsNowhere(cause) && !isSystemError(cause, 'EACCES', 'EPERM', 'EROFS', 'EEXIST')) throw cause
    throw new OciError('ERR_PERMISSION', `cannot use the store ${path}: ${cause.path}: ${whyNot(cause)}`, {
      hint: ownStore,
      cause,
    })
  }
}

/** Refuses a directory that holds other files and no store. @throws OciError `ERR_STORE_INVALID` */
async function refuseOthers(path: string): Promise<void> {
  const names = await readdir(path)
  if (names.includes('oci-layout')) return checkLayoutVersion(readFileSync(join(path, 'oci-layout')), path)
  const ours = /^(blobs|ingest|index\.json|index\.lock|(index\.json|oci-layout|index\.lock)\..*)$/
  const other = names.find((name) => !ours.test(name))
  if (other === undefined) return
  throw new OciError('ERR_STORE_INVALID', `${path} is not a store: it has "${other}" and no oci-layout`, {
    hint: 'name an empty or a new directory',
  })
}

async function makeFile(path: string, text: string): Promise<void> {
  try {
    await stat(path)
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error
    await withLock(join(dirname(path), 'index.lock'), async () => {
      if ((await readdir(dirname(path))).includes(basename(path))) return
      await replaceFile(path, text)
    })
  }
}

async function removeStale(unfinished: string): Promise<void> {
  for (const name of await readdir(unfinished)) {
    const path = join(unfinished, name)
    try {
      if (Date.now() - (await stat(path)).mtimeMs > staleIngestMs) await rm(path)
    } catch (error) {
      if (!isSystemError(error, 'ENOENT')) throw error
    }
  }
}

/** Removes temporary files whose writer was killed. */
async function removeLeftovers(path: string): Promise<void> {
  for (const name of await readdir(path)) {
    const owner = /^(?:index\.json|oci-layout|index\.lock(?:\.break)?)\.(\d+-\d+)\.\d+$/.exec(name)?.[1]
    if (owner !== undefined && !isOwnerAlive(owner)) await rm(join(path, name), { force: true })
  }
}
