import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The version in package.json, as it is now: nothing is compiled in. */
export function toolVersion(): string {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))
  return version
}
