import { basename } from 'node:path'
import { isHiddenVariable } from '../program/contract.ts'

/**
 * The URL of a thread's compiled entry. A module that runs from its source gets the one in `dist`, since a thread
 * cannot load the source.
 * @param caller `import.meta.url` of a module of `src`
 * @param entry the entry's path below `dist`; a compiled caller finds the file beside itself, in the same folder or
 *   where `npm run build` bundles both
 */
export function threadEntry(caller: string, entry: string): URL {
  if (!caller.endsWith('.ts')) return new URL(basename(entry), caller)
  return new URL(`dist/${entry}`, caller.slice(0, caller.lastIndexOf('/src/') + 1))
}

/**
 * The environment of a thread: a thread reads again what Node.js reads when it starts (NODE_OPTIONS and the like), which the
 * front keeps from the process.
 */
export function threadEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isHiddenVariable(name, true)))
}
