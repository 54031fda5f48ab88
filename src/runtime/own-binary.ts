import { existsSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The path of a binary of this tool: the one that was built in this checkout, else that of the package, which has one
 * for each architecture. The file may not exist.
 */
export function ownBinary(name: 'bundle-tool' | 'bundle-tool-runner'): string {
  const built = join(import.meta.dirname, '..', name)
  return existsSync(built) ? built : join(import.meta.dirname, '..', process.arch, name)
}
