import { accessSync, constants, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isSystemError, OciError } from './errors.ts'

const reasons: Readonly<Record<string, string>> = {
  EROFS: 'the file system is read-only',
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  ENOENT: 'there is no such directory',
  ENOTDIR: 'a part of the path is no directory',
  EEXIST: 'something else is there',
  ELOOP: 'its links never end',
  ENAMETOOLONG: 'the path is too long',
}

/** Puts the error of a place that cannot be written to into words, with its code: `the file system is read-only (EROFS)`. */
export function whyNot({ code = '' }: NodeJS.ErrnoException): string {
  const reason = reasons[code]
  return reason === undefined ? code : `${reason} (${code})`
}

export interface WritableOptions {
  readonly code: 'ERR_PERMISSION' | 'ERR_FILE_SYSTEM'
  /** How the error begins, as in `cannot write x.tar`. */
  readonly what: string
  readonly hint: string
  /** Missing directories are going to be made; else they are an error. */
  readonly isMade?: boolean
}

/**
 * Refuses a directory that could not be written to, before any work is done for it: a read-only file system or a lacking
 * right is found out at once. What is found may change, so the write itself can still fail.
 *
 * @throws OciError `code`
 */
export function checkWritable(directory: string, { code, what, hint, isMade = false }: WritableOptions): void {
  let path = resolve(directory)
  try {
    if (isMade) while (statSync(path, { throwIfNoEntry: false }) === undefined) path = dirname(path)
    accessSync(`${path}/.`, constants.W_OK | constants.X_OK)
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    const where = what.endsWith(path) ? '' : `${path}: `
    throw new OciError(code, `${what}: ${where}${whyNot(cause)}`, { hint, cause })
  }
}
