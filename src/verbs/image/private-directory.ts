import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, rmdirSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isSystemError, OciError } from '../../errors.ts'
import { removeTree } from '../../layer/remove-tree.ts'
import { whyNot } from '../../writable.ts'

/** A directory that its owner alone can enter, wherever it is: in a parent that others can write to, too. */
export interface PrivateDirectory {
  /** Its path through an open descriptor, for this process and its children. */
  readonly anchor: string
  /** The path it was made at, which may have come to name something else. */
  readonly path: string
  /** True when `path` names this directory. */
  isAt(path: string): boolean
  /** Removes everything in it, and it. */
  remove(): void
  close(): void
}

/**
 * Makes a directory `prefix` with six characters after it.
 *
 * Whoever can write to the parent can rename it and put a link in its place while it is filled, so it is opened at once
 * and used through the descriptor only (CVE-2018-15664, CVE-2025-47290).
 * @throws OciError `ERR_PERMISSION`
 */
export async function makePrivateDirectory(prefix: string): Promise<PrivateDirectory> {
  const path = await makeDirectory(prefix)
  const descriptor = openOwn(path)
  const anchor = `/proc/${process.pid}/fd/${descriptor}`

  function isAt(place: string): boolean {
    const [ours, there] = [fstatSync(descriptor), lstatSync(place, { throwIfNoEntry: false })]
    return there !== undefined && there.ino === ours.ino && there.dev === ours.dev
  }

  return {
    anchor,
    path,
    isAt,
    remove() {
      for (const name of readdirSync(anchor)) removeTree(join(anchor, name))
      try {
        if (isAt(path)) rmdirSync(path)
      } catch (error) {
        // Displaced between the two: what is there now is not ours to remove.
        if (!isSystemError(error, 'ENOENT', 'ENOTDIR', 'ENOTEMPTY')) throw error
      }
    },
    close: () => closeSync(descriptor),
  }
}

async function makeDirectory(prefix: string): Promise<string> {
  try {
    return await mkdtemp(prefix)
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    throw new OciError('ERR_PERMISSION', `cannot make a directory in ${dirname(prefix)}: ${whyNot(cause)}`, {
      hint: 'choose a place where you may write',
      cause,
    })
  }
}

function openOwn(path: string): number {
  const descriptor = openDirectory(path)
  const { uid, mode } = fstatSync(descriptor)
  if (uid === process.geteuid?.() && (mode & 0o777) === 0o700) return descriptor
  closeSync(descriptor)
  throw displaced(path)
}

function openDirectory(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  } catch (error) {
    throw isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP') ? displaced(path) : error
  }
}

/** The error for a `path` at which something else stands than was put there. */
export const displaced = (path: string): OciError =>
  new OciError('ERR_PERMISSION', `somebody has put something else in the place of ${path}`, {
    hint: 'choose a place that others cannot write to',
  })
