import { readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSystemError } from '../errors.ts'

/** Files whose names begin alike, in a directory that only the caller writes to. */
export interface KeptFiles {
  readonly directory: string
  readonly prefix: string
  /** When there are more, the oldest go, until three quarters of it are left. */
  readonly most: number
}

/** Writes one of them, whole or not at all; that it cannot be made or written is no failure. */
export function keepFile(files: KeptFiles, name: string, content: () => string | Uint8Array): void {
  try {
    const path = join(files.directory, files.prefix + name)
    const temporary = `${path}.${process.pid}`
    writeFileSync(temporary, content(), { mode: 0o600, flag: 'wx' })
    renameSync(temporary, path)
    removeOldest(files)
  } catch (error) {
    if (!isSystemError(error)) throw error
  }
}

function removeOldest({ directory, prefix, most }: KeptFiles): void {
  const names = readdirSync(directory).filter((other) => other.startsWith(prefix))
  if (names.length <= most) return
  const byAge = names
    .map((other) => ({ other, age: statSync(join(directory, other), { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => a.age - b.age)
  const superfluous = byAge.slice(0, names.length - Math.floor(most * 0.75))
  for (const { other } of superfluous) rmSync(join(directory, other), { force: true })
}
