import { readFileSync } from 'node:fs'

/** The version in package.json, as it is now: nothing is compiled in. */
export function toolVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return version
}
