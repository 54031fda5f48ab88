import { readdirSync, renameSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSystemError } from '../../errors.ts'
import { readProcessStat } from '../proc.ts'

/** Files with a common prefix in a directory that only the caller writes to. */
export interface KeptFiles {
  readonly directory: string
  readonly prefix: string
  /** The most files. When there are more, the oldest are removed until three quarters of this number are left. */
  readonly most: number
}

/** Bytes of free space reserved for the state of containers: in a file system with less, nothing is kept. */
const reservedBytes = 4 * 1024 * 1024

/**
 * Writes one of the files, completely or not at all. A file that cannot be written is no error.
 *
 * The state of containers has priority: when there is little space, all files kept before are removed. Temporary files
 * of killed writers are removed with the next write.
 */
export function keepFile(files: KeptFiles, name: string, content: () => string | Uint8Array): void {
  const path = join(files.directory, files.prefix + name)
  const temporary = `${path}.${process.pid}`
  try {
    const { bavail, bsize } = statfsSync(files.directory)
    const hasRoom = bavail * bsize >= reservedBytes
    if (hasRoom) writeAndRename(temporary, path, content())
    removeOldest(hasRoom ? files : { ...files, most: 0 })
  } catch (error) {
    if (!isSystemError(error)) throw error
  }
}

function writeAndRename(temporary: string, path: string, content: string | Uint8Array): void {
  try {
    writeFileSync(temporary, content, { mode: 0o600 })
    renameSync(temporary, path)
  } finally {
    rmSync(temporary, { force: true })
  }
}

function removeOldest({ directory, prefix, most }: KeptFiles): void {
  const names = readdirSync(directory).filter((other) => other.startsWith(prefix))
  const stale = names.filter(isStale)
  const left = names.filter((other) => !stale.includes(other))
  const superfluous = left.length <= most ? [] : byAge(directory, left).slice(0, left.length - Math.floor(most * 0.75))
  for (const other of [...stale, ...superfluous]) rmSync(join(directory, other), { force: true })
}

/** The oldest first. */
function byAge(directory: string, names: readonly string[]): readonly string[] {
  return names
    .map((name) => ({ name, age: statSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => a.age - b.age)
    .map(({ name }) => name)
}

/** True for the name of a temporary file whose writer has ended. */
function isStale(name: string): boolean {
  const writer = /\.(\d+)$/.exec(name)?.[1]
  return writer !== undefined && readProcessStat(Number(writer)) === undefined
}
