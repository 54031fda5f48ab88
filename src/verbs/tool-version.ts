import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSystemError } from '../errors.ts'

/** The version in package.json, as it is now: nothing is compiled in. */
export function toolVersion(): string {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))
  return version
}

/** The commit that this was built of, by the file that the build leaves; `unknown` for sources without their repository. */
export function toolCommit(): string {
  try {
    return readFileSync(join(import.meta.dirname, '../../dist/bin/commit'), 'utf8').trim()
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return 'unknown'
    throw error
  }
}
