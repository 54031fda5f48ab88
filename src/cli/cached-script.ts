import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Script } from 'node:vm'
import { isSystemError } from '../errors.ts'

/**
 * Runs NAME.js in `directory`, a function expression of what Node.js gives to a CommonJS module, from V8's code cache in
 * NAME.cache, and gives what it exports.
 *
 * Compiling takes longer than most commands. A cache holds for the Node.js that made it; another one sees that, and compiles.
 */
export function loadCached<T extends object>(directory: string, name: string, require: NodeJS.Require): T {
  const filename = join(directory, `${name}.js`)
  const cachedData = readIfThere(join(directory, `${name}.cache`))
  // UTF-8 is what Node.js reads without any JavaScript of its own.
  const script = new Script(readFileSync(filename, 'utf8'), { filename, ...(cachedData && { cachedData }) })
  const module = { exports: {} as T, path: directory }
  script.runInThisContext()(module.exports, require, module, filename)
  return module.exports
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined
    throw error
  }
}
