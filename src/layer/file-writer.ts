import { closeSync, constants, ftruncateSync, openSync } from 'node:fs'
import type { FileQueue } from './file-queue.ts'
import { isWhole } from './finish.ts'
import { type Completion, completeFile, writePiece } from './open-file.ts'
import { diskPath, isForeign, type Site } from './site.ts'
import type { TarEntry, TarSink } from './tar/reader.ts'

/** Makes the regular files of a layer, one at a time. */
export interface FileWriter extends Pick<TarSink, 'data' | 'end'> {
  /**
   * Creates a file, to which the next data belongs.
   * @param mode the file's mode until the rootfs is finished
   */
  open(path: string, entry: TarEntry, mode: number): void
  /** Closes the file that a failure left open. */
  close(): void
}

interface OpenFile {
  readonly descriptor: number
  readonly entry: TarEntry
  readonly completion: Completion
  /** The queue that writes the file's bytes; undefined when this thread writes them. */
  readonly queue: FileQueue | undefined
  /** Index of the sparse file's segment that the next byte belongs to. */
  segment: number
  /** Bytes written so far, of the current segment when the file is sparse. */
  done: number
}

const createFlags = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_WRONLY

/**
 * A file writer for `site`. Its functions throw the system error of a failing call, or OciError `ERR_NOT_SUPPORTED`
 * when the user namespace does not map the owner.
 */
export function createFileWriter(site: Site): FileWriter {
  let file: OpenFile | undefined

  function open(path: string, entry: TarEntry, mode: number): void {
    const descriptor = openSync(diskPath(site, path), createFlags, mode)
    const isQueued = entry.size > 0 && entry.sparse === undefined && site.queue?.hasRoom() === true
    const queue = isQueued ? site.queue : undefined
    file = { descriptor, entry, completion: completionOf(site, entry, mode), queue, segment: 0, done: 0 }
  }

  function data(chunk: Buffer, start: number, end: number): void {
    if (file === undefined) return
    const { descriptor, entry, completion, queue, done } = file
    if (entry.sparse !== undefined) {
      sparseData(file, chunk, { start, end })
      return
    }
    const piece = { descriptor, start, end, position: done }
    file.done += end - start
    if (queue === undefined) writePiece(chunk, piece)
    else queue.add({ name: entry.path, piece, completion: file.done === entry.size ? completion : undefined })
  }

  function end(): void {
    if (file === undefined) return
    const { descriptor, entry, completion, queue } = file
    if (queue === undefined) {
      if (entry.sparse !== undefined) ftruncateSync(descriptor, entry.sparse.size)
      completeFile(descriptor, entry.path, completion)
    }
    file = undefined
    if (queue === undefined) closeSync(descriptor)
  }

  function close(): void {
    if (file === undefined) return
    const { descriptor, entry, queue, done } = file
    file = undefined
    if (queue === undefined) closeSync(descriptor)
    else queue.add({ name: entry.path, piece: { descriptor, start: 0, end: 0, position: done }, completion: nothing })
  }

  return { open, data, end, close }
}

function completionOf(site: Site, { uid, gid, mtime }: TarEntry, mode: number): Completion {
  return {
    owner: isForeign(site, { uid, gid }) ? { uid, gid } : undefined,
    mode: (mode & (site.umask | 0o6000)) === 0 ? undefined : mode,
    seconds: isWhole(mtime) ? mtime.seconds : undefined,
  }
}

const nothing: Completion = { owner: undefined, mode: undefined, seconds: undefined }

function sparseData(file: OpenFile, chunk: Buffer, { start, end }: { start: number; end: number }): void {
  for (let at = start; at < end; ) {
    const segment = file.entry.sparse?.segments[file.segment]
    if (segment === undefined) throw new Error('more data than the sparse map has room for')
    const { descriptor, done } = file
    const length = Math.min(end - at, segment.length - done)
    writePiece(chunk, { descriptor, start: at, end: at + length, position: segment.offset + done })
    at += length
    file.done += length
    if (file.done < segment.length) continue
    file.segment += 1
    file.done = 0
  }
}
