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
  /**
   * The blob's bytes as they arrive; throws at the end unless they match the descriptor. May be read once, at any time.
   */
  content(): AsyncGenerator<Uint8Array>
  /** Resolves when the blob is durably in the store; rejects when it cannot be. */
  readonly done: Promise<void>
}

/** The paths at which a blob is assembled and then stored: plain values, which another thread can be given. */
export interface IngestFiles {
  /** The directory of unfinished blobs. */
  readonly directory: string
  /** The beginning of the names of all unfinished files of this blob. */
  readonly name: string
  /** The unfinished file of this ingest, which no other ingest uses. */
  readonly partial: string
  /** The blob's final path. */
  readonly path: string
}

/** Callbacks for the progress of an ingest. */
export interface IngestEvents {
  /** Called with the number of bytes in the partial file, those of earlier runs included. */
  advance(bytes: number): void
  /** Called when every byte is present and verified, before the blob is made durable. */
  verified(): void
}

/** The paths of one more ingest of a blob. @param path the blob's final path */
export function ingestFiles(blob: Descriptor, directory: string, path: string): IngestFiles {
  const name = blob.digest.replace(':', '-')
  return { directory, name, partial: join(directory, `${name}.${ownerOf()}.${serial++}`), path }
}

/** Starts `work`, which assembles a blob by `takeIn` in this thread or another; its bytes can be read meanwhile. */
export function ingest(files: IngestFiles, work: (events: IngestEvents) => Promise<void>): Ingest {
  const progress = createProgress()
  const done = work({ advance: progress.advance, verified: progress.finish })
  done.catch((error: unknown) => progress.fail(error))
  return { content: () => follow(progress, files), done }
}

/**
 * Takes a blob into the store. Bytes that an earlier run left are kept and only the rest is fetched; the final name
 * appears once every byte is verified and on disk. After an error the bytes are kept for the next run, unless they are
 * wrong.
 *
 * @param fetch returns the blob's bytes from byte `from` on
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
 * Hashes the bytes that an earlier run left. When they cannot be the beginning of the blob (more bytes than it has, or
 * all of them with another digest), the file is emptied.
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

/** A number in the names of unfinished files, so that two ingests of this process never share one. */
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
    writing.catch(() => {}) // awaited by the next flush, or at the end
  }
  try {
    for await (const chunk of content) {
      check.update(chunk)
      batch.push(chunk)
      batched += chunk.byteLength
      if (batched >= batchBytes) await flush()
    }
  } finally {
    // Bytes that arrived before an error are kept too.
    await flush()
    await writing
  }
}

/** Writes all chunks: writev(2) may write less than it is given. */
async function writeAll(file: FileHandle, chunks: readonly Uint8Array[]): Promise<void> {
  const wanted = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0)
  if (wanted === 0) return
  const { bytesWritten } = await file.writev(chunks)
  if (bytesWritten < wanted) await file.writeFile(Buffer.concat(chunks).subarray(bytesWritten))
}

/** Runs a step that writes `path`. @throws OciError `ERR_FILE_SYSTEM` a system call failed */
async function onDisk<T>(path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    const isFull = cause.code === 'ENOSPC' || cause.code === 'EDQUOT'
    const why = isFull ? `the disk is full (${cause.code})` : `${cause.syscall}: ${cause.code}`
    throw new OciError('ERR_FILE_SYSTEM', `cannot write ${path}: ${why}`, {
      hint: isFull
        ? 'free some space, or choose a store on another disk; the bytes fetched so far are kept'
        : undefined,
      cause,
    })
  }
}

const isMismatch = (error: unknown): error is OciError =>
  error instanceof OciError && error.code === 'ERR_DIGEST_MISMATCH'

/** The mismatch, with the note that bytes of an earlier run, which are deleted by then, may have caused it. */
const withRest = ({ code, message, cause }: OciError, kept: number): OciError =>
  new OciError(code, `${message}; ${kept} bytes of it were left by an earlier run`, {
    hint: 'run the command again; it fetches the whole blob',
    cause,
  })

/**
 * Renames an unfinished file of this blob that an ended process left to `mine`; no file exists at `mine` afterwards
 * when there is none. The rename decides between two processes that try. A running process's file is left alone.
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

/** The progress of the partial file, for a reader that follows the writer. */
interface Progress {
  advance(bytes: number): void
  finish(): void
  fail(error: unknown): void
  /** The number of bytes that may be read; resolves when it is more than `than`, or the blob is complete. */
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
    // Reached also when nothing was read: an error that came after the last byte is thrown here.
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
    // When the work has failed and set the file aside for the next run, this throws its error.
    await progress.more(Infinity)
    return open(path, 'r')
  }
}
