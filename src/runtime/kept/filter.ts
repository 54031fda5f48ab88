import { join } from 'node:path'
import type { SeccompFilter } from '../../compile/seccomp/filter.ts'
import { isSystemError, OciError } from '../../errors.ts'
import { readFile } from '../../host/read-file.ts'
import type { Seccomp } from '../../oci/runtime-config.ts'
import { buildID } from './build-id.ts'
import { keepFile } from './files.ts'

/** What a kept filter's file says: what it is for, in full, and what `compileSeccomp` gave for it. */
interface KeptFilter extends Omit<SeccompFilter, 'instructions'> {
  readonly key: string
  /** In base64. */
  readonly instructions: string
}

const maxFilterBytes = 4 * 1024 * 1024

/**
 * The filter of a profile. What was compiled for it is kept in the state root, and given again for the same profile.
 *
 * Engines write a config.json for each container, and the same profile into all of them: its filter takes a sixth of their
 * `create`, and the compiler of filters, which is loaded when a filter has to be made, as much again. At most 16 are kept.
 * A filter that cannot be kept or read is no failure: it is compiled.
 * @param root absolute; undefined: nothing is kept
 * @throws OciError `ERR_CONFIG_INVALID`, `ERR_NOT_SUPPORTED` as `compileSeccomp`
 */
export async function seccompFilter(
  seccomp: Seccomp | undefined,
  arch: string,
  root: string | undefined,
): Promise<SeccompFilter | undefined> {
  if (seccomp === undefined) return undefined
  if (root === undefined) return await compileFilter(seccomp, arch)
  const files = { directory: root, prefix: '.filter-', most: 16 }
  const key = keyOf(seccomp, arch)
  const name = nameOf(key)
  const known = read(join(root, files.prefix + name))
  if (known?.key === key) return { ...known, instructions: Buffer.from(known.instructions, 'base64') }
  const filter = await compileFilter(seccomp, arch)
  const kept: KeptFilter = { ...filter, key, instructions: Buffer.from(filter.instructions).toString('base64') }
  keepFile(files, name, () => JSON.stringify(kept))
  return filter
}

async function compileFilter(seccomp: Seccomp, arch: string): Promise<SeccompFilter> {
  const { compileSeccomp } = await import('../../compile/seccomp/filter.ts')
  return compileSeccomp(seccomp, arch)
}

/** Everything that a filter is compiled from; the compiler too. */
function keyOf(seccomp: Seccomp, arch: string): string {
  const integers = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value)
  return JSON.stringify([arch, buildID, seccomp], integers)
}

/** Short, and cheap to find out; two profiles of one name take turns. */
function nameOf(key: string): string {
  let sum = key.length
  for (let at = 0; at < key.length; at += 61) sum = (Math.imul(sum, 31) + key.charCodeAt(at)) | 0
  return (sum >>> 0).toString(16).padStart(8, '0')
}

/** Only what the caller has written, and nobody else could have. */
function read(path: string): KeptFilter | undefined {
  try {
    return JSON.parse(readFile(path, { limit: maxFilterBytes, noFollow: true, ownOnly: true }).toString())
  } catch (error) {
    if (isSystemError(error) || error instanceof OciError || error instanceof SyntaxError) return undefined
    throw error
  }
}
