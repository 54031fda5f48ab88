import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { isSystemError } from './errors.ts'

/**
 * Makes a directory and its missing parents, all with this mode.
 *
 * The recursive mkdir of Node.js 20 is not used: it never returns where nothing can be created, as in /proc.
 * @returns true when the directory did not exist
 */
export function makeDirectories(path: string, mode = 0o777): boolean {
  const parent = dirname(path)
  try {
    return makeDirectory(path, mode)
  } catch (error) {
    if (!isSystemError(error, 'ENOENT') || parent === path) throw error
  }
  makeDirectories(parent, mode)
  return makeDirectory(path, mode)
}

function makeDirectory(path: string, mode: number): boolean {
  try {
    mkdirSync(path, { mode })
    return true
  } catch (error) {
    if (isSystemError(error, 'EEXIST') && statSync(path, { throwIfNoEntry: false })?.isDirectory()) return false
    throw error
  }
}
