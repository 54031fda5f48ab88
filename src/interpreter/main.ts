import { noProgram, variables } from '../program/contract.ts'
import { makeBuffer } from './buffer.ts'
import { makeFileSystem } from './file-system.ts'
import type { Host, Require } from './host.ts'
import { mendKeys } from './map-keys.ts'
import { makePathModule } from './path.ts'
import { makeProcess, type ProcessObject } from './process.ts'
import { makeTextEncoder } from './text-encoder.ts'

/** The architecture of the interpreter, as Node.js names it: from the build. */
declare const interpreterArch: string

type CompileCall = (args: readonly string[], env: NodeJS.ProcessEnv, handover: number) => Promise<unknown>

/**
<<<<<<< HEAD
 * Compiles a call for the front: gives the modules of Node.js to src/cli/compiler.ts.
=======
 * Gives the modules of Node.js to src/cli/compiler.ts, and loads it. Nothing here may ask what the process is: the build calls
 * this function, and the interpreter begins with its result.
>>>>>>> 1a26733 (interpreter: the engine is in its binary with the program loaded)
 *
 * @returns the function that compiles a call for the front, and promises the exit code
 */
export default function prepare(host: Host): () => Promise<number> {
  formatStacks()
  mendKeys()
  Math.random = host.random
  const process = makeProcess(host, interpreterArch)
  const Buffer = makeBuffer(host)
  Object.assign(globalThis, { process, Buffer, TextEncoder: makeTextEncoder(host) })
  const require = makeRequire(host, process, Buffer)
  for (const name of host.modules) {
    const module = require(`./${name}.js`) as { prepare?: (arch: string) => void }
    module.prepare?.(interpreterArch)
  }
  const { compileCall } = require('./compiler.js') as { compileCall: CompileCall }
  return async () => {
    await compileCall(process.argv.slice(2), process.env, Number(process.env[variables.handover]))
    return noProgram
  }
}

/** Gives modules by the names that Node.js has for them, and those of dist/bin by their paths. */
function makeRequire(host: Host, process: ProcessObject, buffers: ReturnType<typeof makeBuffer>): Require {
  const path = makePathModule(process.cwd)
  const modules = new Map<string, unknown>([
    ['node:fs', makeFileSystem(host, buffers, process.arch)],
    ['node:path', path],
    ['node:timers/promises', { setTimeout: async (milliseconds: number) => host.sleep(milliseconds) }],
  ])
  return function require(name) {
    if (modules.has(name)) return modules.get(name)
    const module = {
      exports: {},
      get path() {
        return path.dirname(process.argv[1] ?? '')
      },
    }
    modules.set(name, module.exports)
    host.load(name.replace(/^\.\/|\.js$/g, ''))(module.exports, require, module)
    modules.set(name, module.exports)
    return module.exports
  }
}

function placeOf(site: NodeJS.CallSite): string {
  if (site.isNative()) return `${site.getFunctionName()} (native)`
  return `${site.getFunctionName() || '<anonymous>'} (${site.getFileName()}:${site.getLineNumber()}:${site.getColumnNumber()})`
}

/** Stacks begin with the error, as those of V8. */
function formatStacks(): void {
  Error.prepareStackTrace = (error, sites) =>
    [String(error), ...sites.map((site) => `    at ${placeOf(site)}`)].join('\n')
}
