import type { RegularAttributes } from '../program/tree-commands.ts'
import { isForeign, type Site } from './site.ts'
import type { TarEntry } from './tar/reader.ts'
import type { SparseMap } from './tar/sparse.ts'
import type { Place } from './tree-maker.ts'

/** A regular file to be made. */
export interface NewFile extends Place {
  readonly entry: TarEntry
  /** The file's mode until the rootfs is finished. */
  readonly mode: number
}

/** Makes the regular files of a layer, one at a time. */
export interface FileWriter {
  /** Begins a file, to which the next data belong. */
  begin(file: NewFile): void
  /** The next data of the file, by their place. */
  data(from: number, length: number): void
  end(): void
}

export function createFileWriter(site: Site): FileWriter {
  const { tree } = site
  let file: NewFile | undefined
  /** A file is made when its first data are there: a small one with all of its data at once. */
  let isMade = false
  /** Index of the sparse file's segment that the next byte belongs to. */
  let segment = 0
  /** Bytes so far, of the current segment when the file is sparse. */
  let done = 0

  function put(open: NewFile, data: { from: number; length: number; position: number; isLast: boolean }): void {
    if (isMade) tree.addData(data)
    else tree.makeFile(open, attributesOf(site, open), data)
    isMade = true
  }

  function sparseData(open: NewFile, { segments }: SparseMap, { from, end }: { from: number; end: number }): void {
    for (let at = from; at < end; ) {
      const part = segments[segment]
      if (part === undefined) throw new Error('more data than the sparse map has room for')
      const length = Math.min(end - at, part.length - done)
      put(open, { from: at, length, position: part.offset + done, isLast: false })
      at += length
      done += length
      if (done < part.length) continue
      segment += 1
      done = 0
    }
  }

  return {
    begin(next) {
      file = next
      isMade = false
      segment = 0
      done = 0
    },
    data(from, length) {
      if (file === undefined) return
      const { size, sparse } = file.entry
      if (sparse !== undefined) {
        sparseData(file, sparse, { from, end: from + length })
        return
      }
      const position = done
      done += length
      put(file, { from, length, position, isLast: done === size })
    },
    end() {
      if (file === undefined) return
      const { size, sparse } = file.entry
      if (!isMade) put(file, { from: 0, length: 0, position: 0, isLast: sparse === undefined })
      if (sparse !== undefined) tree.setSize(size)
      file = undefined
    },
  }
}

function attributesOf(site: Site, { entry: { uid, gid, mtime }, mode }: NewFile): RegularAttributes {
  return { mode, owner: isForeign(site, { uid, gid }) ? { uid, gid } : undefined, time: mtime }
}
