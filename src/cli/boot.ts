import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Script } from 'node:vm'
import { isSystemError } from '../errors.ts'

/**
 * Starts the command line that `npm run build` has bundled beside this file, from V8's code cache.
 *
 * Compiling it takes longer than most commands. The cache holds for the Node.js that made it: another one sees that, and
 * compiles.
 */
function boot(directory: string): void {
  const filename = join(directory, 'cli.js')
  const cachedData = readIfThere(join(directory, 'cli.cache'))
  // esbuild writes ASCII, and latin1 is the encoding that is not checked.
  const script = new Script(readFileSync(filename, 'latin1'), { filename, ...(cachedData && { cachedData }) })
  const module = { exports: {} as typeof import('./process.ts') }
  script.runInThisContext()(module.exports, require, module, filename)
  void module.exports.runProcess()
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined
    throw error
  }
}

boot(__dirname)
