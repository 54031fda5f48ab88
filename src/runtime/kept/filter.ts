import { join } from 'node:path'
import { compileSeccomp, type SeccompFilter } from '../../compile/seccomp/filter.ts'
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
 * `compileSeccomp` for containers of this state root: what was compiled for a profile is kept there, and given again for the
 * same one.
 *
 * Engines write a config.json for each container, and the same profile into all of them: its filter takes a sixth of their
 * `create`. At most 16 are kept. What cannot be kept or read is no failure: it is compiled.
 * @param root absolute
 */
export function keptFilters(root: string, compile: typeof compileSeccomp = compileSeccomp): typeof compileSeccomp {
  const files = { directory: root, prefix: '.filter-', most: 16 }
  return (seccomp, arch) => {
    const key = keyOf(seccomp, arch)
    const name = nameOf(key)
    const known = read(join(root, files.prefix + name))
    if (known?.key === key) return { ...known, instructions: Buffer.from(known.instructions, 'base64') }
    const filter = compile(seccomp, arch)
    const kept: KeptFilter = { ...filter, key, instructions: Buffer.from(filter.instructions).toString('base64') }
    keepFile(files, name, () => JSON.stringify(kept))
    return filter
  }
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
