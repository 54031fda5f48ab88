import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSystemError } from '../errors.ts'

/** The version and the commit of a build; undefined where the sources run as they are. */
declare const bundleToolBuiltOf: { readonly version: string; readonly commit: string } | undefined

const builtOf = typeof bundleToolBuiltOf === 'undefined' ? undefined : bundleToolBuiltOf

/** The version in package.json. */
export function toolVersion(): string {
  if (builtOf !== undefined) return builtOf.version
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))
  return version
}

/**
 * The commit that this was built of, by the file that every build leaves, also one that has nothing to do; `unknown` for sources
 * without their repository.
 */
export function toolCommit(): string {
  const file = builtOf === undefined ? '../../dist/bin/commit' : 'commit'
  try {
    return readFileSync(join(import.meta.dirname, file), 'utf8').trim()
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return builtOf?.commit ?? 'unknown'
    throw error
  }
}
