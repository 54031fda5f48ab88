import { closeSync, readSync } from 'node:fs'
import { OciError } from '../errors.ts'
import type { TreeFile } from './scan.ts'
import { paddingOf } from './tar/header.ts'
import { shown } from './tar/reader.ts'
import { formatTarHeader, type TarWriterEntry, tarEnd } from './tar/writer.ts'
import type { TreeReader } from './tree-reader.ts'

/** Size of a piece of the archive in bytes. */
const pieceBytes = 1024 * 1024

/**
 * A tar archive of `files`, in their order: the first of several names of a file holds the data, the others are hard
 * links to it. Each piece is valid until the next is requested.
 * @param whiteouts paths of entries without data that precede all others
 * @throws OciError `ERR_BUNDLE_INVALID` a file became shorter, or is no regular file any more
 */
export function* packTree(
  tree: TreeReader,
  files: readonly TreeFile[],
  whiteouts: readonly string[] = [],
): Generator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(pieceBytes)
  let used = 0

  function* put(bytes: Buffer): Generator<Buffer> {
    for (let at = 0; at < bytes.length; ) {
      const length = bytes.copy(buffer, used, at)
      used += length
      at += length
      if (used === pieceBytes) yield* flush()
    }
  }

  function* flush(): Generator<Buffer> {
    if (used > 0) yield buffer.subarray(0, used)
    used = 0
  }

  function* putData({ path, size }: TreeFile): Generator<Buffer> {
    const descriptor = tree.open(path)
    try {
      for (let left = size; left > 0; ) {
        const read = readSync(descriptor, buffer, used, Math.min(left, pieceBytes - used), null)
        if (read === 0) throw new OciError('ERR_BUNDLE_INVALID', `${shown(path)} became shorter while it was read`)
        used += read
        left -= read
        if (used === pieceBytes) yield* flush()
      }
    } finally {
      closeSync(descriptor)
    }
    yield* put(Buffer.alloc(paddingOf(size)))
  }

  for (const path of whiteouts) yield* put(formatTarHeader(whiteoutMember(path)))
  const firstNames = new Map<string, string>()
  for (const file of files) {
    const first = file.inode === undefined ? undefined : firstNames.get(file.inode)
    if (first !== undefined) {
      yield* put(formatTarHeader({ ...file, kind: 'hardlink', linkPath: first, size: 0, xattrs: undefined }))
      continue
    }
    if (file.inode !== undefined) firstNames.set(file.inode, file.path)
    yield* put(formatTarHeader({ ...file, path: memberPath(file) }))
    if (file.kind === 'file') yield* putData(file)
  }
  yield* put(tarEnd)
  yield* flush()
}

/** An entry's name in the archive: directories end in a slash, and the root is `./`, as tar writes them. */
const memberPath = ({ kind, path }: TreeFile): string => (kind === 'directory' ? `${path === '' ? '.' : path}/` : path)

const whiteoutMember = (path: string): TarWriterEntry => ({
  kind: 'file',
  path,
  linkPath: '',
  mode: 0o600,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  major: 0,
  minor: 0,
  xattrs: undefined,
})
