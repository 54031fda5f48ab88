import { readdirSync, renameSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSystemError } from '../../errors.ts'
import { readProcessStat } from '../proc.ts'

/** Files whose names begin alike, in a directory that only the caller writes to. */
export interface KeptFiles {
  readonly directory: string
  readonly prefix: string
  /** When there are more, the oldest go, until three quarters of it are left. */
  readonly most: number
}

/** The bytes that the state of containers keeps for itself: in a file system with less, nothing is kept. */
const reservedBytes = 4 * 1024 * 1024

/**
 * Writes one of them, whole or not at all; that it cannot be made or written is no failure.
 *
 * The state of containers comes first: where there is little space, what was kept before goes. What a writer left that was
 * killed goes with the next one that is written.
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
  const byAge = left
    .map((other) => ({ other, age: statSync(join(directory, other), { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => a.age - b.age)
    .map(({ other }) => other)
  const superfluous = left.length <= most ? [] : byAge.slice(0, left.length - Math.floor(most * 0.75))
  for (const other of [...stale, ...superfluous]) rmSync(join(directory, other), { force: true })
}

/** Whether a name is that of a temporary file whose writer is gone. */
function isStale(name: string): boolean {
  const writer = /\.(\d+)$/.exec(name)?.[1]
  return writer !== undefined && readProcessStat(Number(writer)) === undefined
}
