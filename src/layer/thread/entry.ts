import { basename } from 'node:path'
import { isHiddenVariable } from '../../program/contract.ts'

/**
 * The compiled entry of a thread, also where a module runs from its source, which a thread cannot load.
 *
 * @param caller `import.meta.url` of a module of `src`
 * @param entry  where it is below `dist`; from a module of the same folder, and where `npm run build` bundles both, beside it
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
