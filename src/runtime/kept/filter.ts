import { join } from 'node:path'
import type { SeccompFilter } from '../../compile/seccomp/filter.ts'
import { isSystemError, OciError } from '../../errors.ts'
import { readFile } from '../../host/read-file.ts'
import type { Seccomp } from '../../oci/runtime-config.ts'
import { buildID } from './build-id.ts'
import { keepFile } from './files.ts'

/** The second line of a kept filter's file; the first is the key, and behind the second are the instructions. */
interface KeptFacts extends Omit<SeccompFilter, 'instructions'> {
  /** The sum of the instructions: a file that the host has not written whole, when it went down, is not used. */
  readonly sum: number
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
  const known = read(join(root, files.prefix + name), key)
  if (known !== undefined) return known
  const filter = await compileFilter(seccomp, arch)
  keepFile(files, name, () => contentOf(filter, key))
  return filter
}

async function compileFilter(seccomp: Seccomp, arch: string): Promise<SeccompFilter> {
  const { compileSeccomp } = await import('../../compile/seccomp/filter.ts')
  return compileSeccomp(seccomp, arch)
}

/** The key of a filter, a line: everything that it is compiled from, including the compiler. */
function keyOf(seccomp: Seccomp, arch: string): string {
  const integers = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value)
  const isLong = (value: unknown): boolean => typeof value === 'bigint'
  const hasLong = seccomp.syscalls?.some(({ args }) => args?.some((arg) => isLong(arg.value) || isLong(arg.valueTwo)))
  return JSON.stringify([arch, buildID, seccomp], hasLong ? integers : undefined)
}

/** A short name that is cheap to compute; two profiles with the same name replace each other. */
function nameOf(key: string): string {
  let sum = key.length
  for (let at = 0; at < key.length; at += 61) sum = (Math.imul(sum, 31) + key.charCodeAt(at)) | 0
  return (sum >>> 0).toString(16).padStart(8, '0')
}

const lineFeed = 0x0a

function contentOf({ instructions, ...facts }: SeccompFilter, key: string): Buffer {
  const kept: KeptFacts = { ...facts, sum: sumOf(instructions) }
  return Buffer.concat([Buffer.from(`${key}\n${JSON.stringify(kept)}\n`), instructions])
}

function sumOf(instructions: Uint8Array): number {
  const words = new Uint32Array(new Uint8Array(instructions).buffer, 0, instructions.length >> 2)
  let sum = instructions.length
  for (let at = 0; at < words.length; at++) sum = (Math.imul(sum, 31) + (words[at] ?? 0)) | 0
  return sum
}

/** Reads a kept filter, from a file that only the caller can have written; undefined when it is of another profile. */
function read(path: string, key: string): SeccompFilter | undefined {
  try {
    const content = readFile(path, { limit: maxFilterBytes, noFollow: true, ownOnly: true })
    const end = content.indexOf(lineFeed)
    if (end < 0 || content.toString('utf8', 0, end) !== key) return undefined
    const start = content.indexOf(lineFeed, end + 1) + 1
    const { sum, ...facts }: KeptFacts = JSON.parse(content.toString('utf8', end + 1, start))
    const instructions = content.subarray(start)
    return sumOf(instructions) === sum ? { ...facts, instructions } : undefined
  } catch (error) {
    if (isSystemError(error) || error instanceof OciError || error instanceof SyntaxError) return undefined
    throw error
  }
}
