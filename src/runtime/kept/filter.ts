import { join } from 'node:path'
import type { SeccompFilter } from '../../compile/seccomp/filter.ts'
import { isSystemError, OciError } from '../../errors.ts'
import { readFile } from '../../host/read-file.ts'
import type { Seccomp } from '../../oci/runtime-config.ts'
import { buildID } from './build-id.ts'
import { keepFile } from './files.ts'

/** The content of a kept filter's file: the key that it was compiled for, and the result of `compileSeccomp`. */
interface KeptFilter extends Omit<SeccompFilter, 'instructions'> {
  readonly key: string
  /** The instructions in base64. */
  readonly instructions: string
}

const maxFilterBytes = 4 * 1024 * 1024

/**
 * The filter of a profile. A compiled filter is kept in the state root and used again for the same profile.
 *
 * Engines write the same profile into the config.json of each container. Compiling its filter takes a sixth of a
 * `create`, and loading the compiler of filters as much again. At most 16 filters are kept. A filter that cannot be
 * kept or read is no error: it is compiled.
 * @param root absolute path of the state root; undefined keeps nothing
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

/** The key of a filter: everything that it is compiled from, including the compiler. */
function keyOf(seccomp: Seccomp, arch: string): string {
  const integers = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value)
  return JSON.stringify([arch, buildID, seccomp], integers)
}

/** A short name that is cheap to compute; two profiles with the same name replace each other. */
function nameOf(key: string): string {
  let sum = key.length
  for (let at = 0; at < key.length; at += 61) sum = (Math.imul(sum, 31) + key.charCodeAt(at)) | 0
  return (sum >>> 0).toString(16).padStart(8, '0')
}

/** Reads a kept filter, from a file that only the caller can have written. */
function read(path: string): KeptFilter | undefined {
  try {
    return JSON.parse(readFile(path, { limit: maxFilterBytes, noFollow: true, ownOnly: true }).toString())
  } catch (error) {
    if (isSystemError(error) || error instanceof OciError || error instanceof SyntaxError) return undefined
    throw error
  }
}
