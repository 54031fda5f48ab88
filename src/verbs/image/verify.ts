import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { OciError } from '../../errors.ts'
import { isDigest } from '../../oci/digest.ts'
import { openBlobFile } from '../../store/blob-file.ts'
import { refNameAnnotation } from '../../store/layout.ts'
import { reachable } from '../../store/reachable.ts'
import { openStoreOf, type StoreOptions } from './images.ts'

export interface VerifyOptions extends StoreOptions {
  readonly signal?: AbortSignal | undefined
}

export interface Verification {
  /** Blobs that were read. */
  readonly blobs: number
  readonly bytes: number
  /** The problems, a sentence each; none when the store is whole. */
  readonly problems: readonly string[]
}

/** Reads every blob of the store and compares it with its digest, and looks for blobs that images lack. Changes nothing. */
export async function verify(options: VerifyOptions = {}): Promise<Verification> {
  const store = await openStoreOf(options)
  const problems: string[] = []
  const damaged = new Set<string>()
  let blobs = 0
  let bytes = 0
  for (const algorithm of ['sha256', 'sha512']) {
    const directory = join(store.path, 'blobs', algorithm)
    for (const name of await readdir(directory)) {
      options.signal?.throwIfAborted()
      const digest = `${algorithm}:${name}`
      if (!isDigest(digest)) {
        problems.push(`${join(directory, name)} is no blob`)
        continue
      }
      const { size } = await lstat(join(directory, name))
      blobs += 1
      bytes += size
      const problem = await problemOf(store.path, { mediaType: '', digest, size })
      if (problem === undefined) continue
      damaged.add(digest)
      problems.push(problem)
    }
  }
  for (const entry of await store.list()) {
    const image = entry.annotations?.[refNameAnnotation] ?? entry.digest
    if (damaged.has(entry.digest)) continue
    for (const blob of (await reachable(store, entry)).values()) {
      if (!(await store.has(blob))) problems.push(`${image} lacks the blob ${blob.digest}`)
    }
  }
  return { blobs, bytes, problems }
}

async function problemOf(path: string, blob: Parameters<typeof openBlobFile>[1]): Promise<string | undefined> {
  try {
    for await (const _ of openBlobFile(path, blob));
    return undefined
  } catch (error) {
    if (error instanceof OciError) return error.message
    throw error
  }
}
