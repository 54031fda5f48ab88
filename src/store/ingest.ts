import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isSystemError, OciError } from '../errors.ts'
import { allocateChunk } from '../memory.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type BlobCheck, chunkBytes, createBlobCheck, readChunks } from './blob-file.ts'
import { syncDirectory } from './files.ts'
import { isOwnerAlive, ownerOf } from './owner.ts'

/** Bytes gathered before they are written. */
const batchBytes = 512 * 1024

/** A blob on its way into the store. */
export interface Ingest {
  /** The blob's bytes as they arrive, and an error in the end unless they are as described. May be read once, at any time. */
  content(): AsyncGenerator<Uint8Array>
  /** Settles when the blob is in the store for good, or never will be. */
  readonly done: Promise<void>
}

/** Where a blob is put together and where it ends up. Plain values: another thread may be given them. */
export interface IngestFiles {
  /** Where unfinished blobs are kept. */
  readonly directory: string
  /** What the names of all unfinished files of this blob start with. */
  readonly name: string
  /** The file of this ingest alone. */
  readonly partial: string
  /** The blob's final name. */
  readonly path: string
}

/** Told how a blob is coming on. */
export interface IngestEvents {
  /** So many bytes are in the partial file, those of earlier runs included. */
  advance(bytes: number): void
  /** Every byte is there and right; what is left is to make that last. */
  verified(): void
}

/** The files of one more ingest of a blob. */
export function ingestFiles(blob: Descriptor, directory: string, path: string): IngestFiles {
  const name = blob.digest.replace(':', '-')
  return { directory, name, partial: join(directory, `${name}.${ownerOf()}.${serial++}`), path }
}

/** Lets `work` put a blob together, in this thread or another, by `takeIn`; its bytes can be read while it does. */
export function ingest(files: IngestFiles, work: (events: IngestEvents) => Promise<void>): Ingest {
  const progress = createProgress()
  const done = work({ advance: progress.advance, verified: progress.finish })
  done.catch((error: unknown) => progress.fail(error))
  return { content: () => follow(progress, files), done }
}

/**
 * Takes a blob in: what an earlier run left of it is kept and only the rest is fetched; the final name appears once
 * every byte is verified and on disk. An error keeps the bytes for the next run, unless they are wrong.
 *
 * @param fetch gives the blob's bytes from byte `from` on
 * @throws OciError `ERR_DIGEST_MISMATCH`; `ERR_FILE_SYSTEM` the disk is full, for instance; what `fetch` throws
 */
export async function takeIn(
  blob: Descriptor,
  files: IngestFiles,
  { fetch, advance, verified }: IngestEvents & { readonly fetch: (from: number) => AsyncIterable<Uint8Array> },
): Promise<void> {
  const { directory, name, partial, path } = files
  await claim(directory, name, partial)
  const file = await onDisk(partial, () => open(partial, 'a+', 0o644))
  let kept = 0
  try {
    const check = await checkKept(file, blob)
    kept = check.size
    advance(kept)
    await append(file, fetch(check.size), { check, partial, onWritten: advance })
    check.finish()
    verified()
    await onDisk(partial, () => file.datasync())
    await rename(partial, path)
  } catch (error) {
    await release(partial, join(directory, `${name}.partial`), isMismatch(error))
    throw kept > 0 && isMismatch(error) ? withRest(error, kept) : error
  } finally {
    await file.close()
  }
  await syncDirectory(dirname(path))
}

/**
 * Reads what an earlier run left. Where that cannot be the beginning of the blob, being more of it than there is or all of it
 * and wrong, the file is emptied.
 */
async function checkKept(file: FileHandle, blob: Descriptor): Promise<BlobCheck> {
  const check = createBlobCheck(blob)
  try {
    for await (const chunk of readChunks(file)) check.update(chunk)
    if (check.size === blob.size) check.finish()
    return check
  } catch (error) {
    if (!isMismatch(error)) throw error
    await file.truncate()
    return createBlobCheck(blob)
  }
}

/** Two ingests of this process never share a file. */
let serial = 0

interface AppendOptions {
  readonly check: BlobCheck
  readonly partial: string
  readonly onWritten: (bytes: number) => void
}

async function append(
  file: FileHandle,
  content: AsyncIterable<Uint8Array>,
  { check, partial, onWritten }: AppendOptions,
): Promise<void> {
  let batch: Uint8Array[] = []
  let batched = 0
  let writing = Promise.resolve()
  const flush = async () => {
    const [chunks, end] = [batch, check.size]
    batch = []
    batched = 0
    await writing
    writing = onDisk(partial, () => writeAll(file, chunks)).then(() => onWritten(end))
    writing.catch(() => {}) // awaited by the next flush, or in the end
  }
  try {
    for await (const chunk of content) {
      check.update(chunk)
      batch.push(chunk)
      batched += chunk.byteLength
      if (batched >= batchBytes) await flush()
    }
  } finally {
    // What arrived before an error is worth keeping too.
    await flush()
    await writing
  }
}

/** writev(2) may write less than it is given. */
async function writeAll(file: FileHandle, chunks: readonly Uint8Array[]): Promise<void> {
  const wanted = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0)
  if (wanted === 0) return
  const { bytesWritten } = await file.writev(chunks)
  if (bytesWritten < wanted) await file.writeFile(Buffer.concat(chunks).subarray(bytesWritten))
}

/** Says which file the disk would not take, and what to do when it is full. */
async function onDisk<T>(path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    const isFull = cause.code === 'ENOSPC' || cause.code === 'EDQUOT'
    const why = isFull ? `the disk is full (${cause.code})` : `${cause.syscall}: ${cause.code}`
    throw new OciError('ERR_FILE_SYSTEM', `cannot write ${path}: ${why}`, {
      hint: isFull ? 'make room, or name a store on another disk; what has arrived is kept' : undefined,
      cause,
    })
  }
}

const isMismatch = (error: unknown): error is OciError =>
  error instanceof OciError && error.code === 'ERR_DIGEST_MISMATCH'

/** What an earlier run left may be at fault, which is gone now. */
const withRest = ({ code, message, cause }: OciError, kept: number): OciError =>
  new OciError(code, `${message}; ${kept} bytes of it were left by an earlier run`, {
    hint: 'do the same again, which fetches all of it',
    cause,
  })

/**
 * Makes what another run left of this blob ours. The rename decides between two that try; a running owner's is left
 * alone. Without any there is no file at `mine` afterwards.
 */
async function claim(directory: string, name: string, mine: string): Promise<void> {
  for (const other of await readdir(directory)) {
    const [blobName, owner = ''] = other.split('.')
    if (blobName !== name || isOwnerAlive(owner)) continue
    try {
      return await rename(join(directory, other), mine)
    } catch (error) {
      if (!isSystemError(error, 'ENOENT')) throw error
    }
  }
}

async function release(partial: string, name: string, isUseless: boolean): Promise<void> {
  if (isUseless) await rm(partial, { force: true })
  else await rename(partial, name)
}

/** How far the file has come, for whoever reads after the writer. */
interface Progress {
  advance(bytes: number): void
  finish(): void
  fail(error: unknown): void
  /** How many bytes may be read; resolves when that is more than `than` or all there will be. */
  more(than: number): Promise<{ bytes: number; isComplete: boolean }>
}

function createProgress(): Progress {
  let bytes = 0
  let isComplete = false
  let failure: { readonly error: unknown } | undefined
  let wake = () => {}
  return {
    advance(present) {
      bytes = present
      wake()
    },
    finish() {
      isComplete = true
      wake()
    },
    fail(error) {
      failure = { error }
      wake()
    },
    async more(than) {
      while (bytes <= than && !isComplete) {
        if (failure !== undefined) throw failure.error
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return { bytes, isComplete }
    },
  }
}

async function* follow(progress: Progress, { partial, path }: IngestFiles): AsyncGenerator<Uint8Array> {
  let { bytes } = await progress.more(0)
  const file = await openEither(partial, path, progress)
  try {
    for (let position = 0; position < bytes; ) {
      const buffer = allocateChunk(chunkBytes)
      const { bytesRead } = await file.read(buffer, 0, Math.min(chunkBytes, bytes - position), position)
      if (bytesRead === 0) throw new Error(`${partial} is shorter than the ${bytes} bytes written to it`)
      position += bytesRead
      yield buffer.subarray(0, bytesRead)
      if (position === bytes) bytes = (await progress.more(position)).bytes
    }
    // Also when nothing was read: an error that came after the last byte is thrown here.
    await progress.more(Infinity)
  } finally {
    await file.close()
  }
}

/** The file while it is partial, or under its final name once that has appeared. */
async function openEither(partial: string, path: string, progress: Progress): Promise<FileHandle> {
  try {
    return await open(partial, 'r')
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error
    // The work has failed, and put the file aside for the next run: that error is the one to tell.
    await progress.more(Infinity)
    return open(path, 'r')
  }
}
