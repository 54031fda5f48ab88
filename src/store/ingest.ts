import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isSystemError, OciError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type BlobCheck, chunkBytes, createBlobCheck, readChunks } from './blob-file.ts'
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

export interface IngestOptions {
  /** Where unfinished blobs are kept. */
  readonly directory: string
  /** The blob's final name. */
  readonly path: string
  /** Gives the blob's bytes from byte `from` on. */
  readonly fetch: (from: number) => AsyncIterable<Uint8Array>
  /** Told how many bytes there are so far, those of earlier runs included. */
  readonly onProgress?: ((bytes: number) => void) | undefined
}

/**
 * Takes a blob in: what an earlier run left of it is kept and only the rest is fetched; the final name appears once
 * every byte is verified and on disk. An error keeps the bytes for the next run, unless they are wrong.
 */
export function ingest(blob: Descriptor, options: IngestOptions): Ingest {
  const progress = createProgress()
  const name = blob.digest.replace(':', '-')
  const partial = join(options.directory, `${name}.${ownerOf()}.${serial++}`)
  const done = run(blob, { ...options, name, partial }, progress)
  done.catch((error: unknown) => progress.fail(error))
  return { content: () => follow(progress, partial, options.path), done }
}

async function run(blob: Descriptor, options: RunOptions, progress: Progress): Promise<void> {
  const { name, partial } = options
  await claim(options.directory, name, partial)
  const file = await open(partial, 'a+', 0o644)
  const check = createBlobCheck(blob)
  try {
    for await (const chunk of readChunks(file)) check.update(chunk)
    progress.advance(check.size)
    options.onProgress?.(check.size)
    await append(file, options.fetch(check.size), check, (bytes) => {
      progress.advance(bytes)
      options.onProgress?.(bytes)
    })
    check.finish()
    progress.finish()
    await file.datasync()
    await rename(partial, options.path)
  } catch (error) {
    await release(partial, join(options.directory, `${name}.partial`), isWorthless(error))
    throw error
  } finally {
    await file.close()
  }
}

/** Two ingests of this process never share a file. */
let serial = 0

interface RunOptions extends IngestOptions {
  /** What the names of all unfinished files of this blob start with. */
  readonly name: string
  /** This run's file. */
  readonly partial: string
}

async function append(
  file: FileHandle,
  content: AsyncIterable<Uint8Array>,
  check: BlobCheck,
  onWritten: (bytes: number) => void,
): Promise<void> {
  let batch: Uint8Array[] = []
  let batched = 0
  let writing = Promise.resolve()
  const flush = async () => {
    const [chunks, end] = [batch, check.size]
    batch = []
    batched = 0
    await writing
    writing = writeAll(file, chunks).then(() => onWritten(end))
    writing.catch(() => {})
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

const isWorthless = (error: unknown): boolean => error instanceof OciError && error.code === 'ERR_DIGEST_MISMATCH'

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

async function* follow(progress: Progress, partial: string, path: string): AsyncGenerator<Uint8Array> {
  let { bytes } = await progress.more(0)
  const file = await openEither(partial, path)
  try {
    for (let position = 0; position < bytes; ) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, bytes - position))
      const { bytesRead } = await file.read(buffer, 0, buffer.byteLength, position)
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
async function openEither(partial: string, path: string): Promise<FileHandle> {
  try {
    return await open(partial, 'r')
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return open(path, 'r')
    throw error
  }
}
