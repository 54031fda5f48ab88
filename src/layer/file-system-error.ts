import { getSystemErrorMap } from 'node:util'
import { isSystemError, OciError } from '../errors.ts'
import { shown } from './tar/reader.ts'

/**
 * Runs a step.
 * @param entryName returns the name of the current entry, for the message
 * @throws OciError `ERR_FILE_SYSTEM` a file system call failed
 */
export function onFileSystem(entryName: () => string | undefined, step: () => void): void {
  try {
    step()
  } catch (error) {
    if (!isSystemError(error) || error.syscall === undefined) throw error
    const name = entryName()
    const entry = name === undefined ? '' : `entry ${shown(name)}: `
    throw fileSystemError(`${entry}${error.syscall}`, error)
  }
}

/**
 * The error for a failed file system call, with a hint when the disk is full.
 * @param what the call that failed, and its file
 */
export function fileSystemError(what: string, error: NodeJS.ErrnoException): OciError {
  const words = getSystemErrorMap().get(error.errno ?? 0)?.[1] ?? 'unknown error'
  const hint = isSystemError(error, 'ENOSPC', 'EDQUOT')
    ? 'free some space or inodes, or choose another file system'
    : undefined
  return new OciError('ERR_FILE_SYSTEM', `${what}: ${words} (${error.code})`, { hint, cause: error })
}
