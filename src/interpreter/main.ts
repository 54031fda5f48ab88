import { noProgram, variables } from '../program/contract.ts'
import { makeBuffer } from './buffer.ts'
import { makeEventLoop } from './event-loop.ts'
import { makeFileSystem } from './file-system.ts'
import type { Host, Require } from './host.ts'
import type { ModuleMeans } from './modules.ts'
import { makePathModule } from './path.ts'
import { Process } from './process.ts'
import { makeSignals } from './signals.ts'
import { makeStandardStreams } from './standard-streams.ts'
import { makeTextEncoder } from './text-encoder.ts'

/** The architecture of the interpreter, as Node.js names it: from the build. */
declare const interpreterArch: string

type CompileCall = (args: readonly string[], env: NodeJS.ProcessEnv, handover: number) => Promise<unknown>
type RunProcess = () => Promise<void>

interface Program {
  readonly start: () => () => number | undefined
  /** Is called when a promise is rejected that nothing waits for, and when something waits for it after all. */
  readonly onRejection: (promise: object, reason: unknown, isHandled: boolean) => void
}

/** The modules that the build calls. Of `modules` it loads the code; the others are loaded by the process that asks for them. */
const calledByBuild: readonly string[] = ['errors', 'seccomp', 'cli']

/**
 * Gives the modules of Node.js to those of src/cli, and calls those of `calledByBuild`. Nothing here may ask what the process is: the
 * build calls this function, and the interpreter begins with its result.
 *
 * @returns `start`, a function that runs what the first word names: compiler.js, which compiles a call for the front, or boot.js,
 *   all of the command line. No file is read: the code is in the interpreter. The function returns the event loop's turns: each
 *   returns undefined, the last one the exit code
 */
export default function prepare(host: Host): Program {
  formatStacks()
  Math.random = host.random
  const loop = makeEventLoop(host)
  const signals = makeSignals(host, loop)
  const buffers = makeBuffer(host)
  const streams = makeStandardStreams({ host, loop, buffers, onResize: (listener) => process.on('SIGWINCH', listener) })
  const process = new Process({ host, signals, arch: interpreterArch, streams, require: (name) => require(name) })
  Object.assign(globalThis, { process, Buffer: buffers, TextEncoder: makeTextEncoder(host) })
  const path = makePathModule(process.cwd)
  const files = makeFileSystem(host, buffers, process.arch)
  const require = makeRequire({ host, loop, buffers, signals, process, files, path })
  for (const name of calledByBuild) {
    if (!host.modules.includes(name)) continue
    const module = require(`./${name}.js`) as { prepare?: (arch: string) => void }
    module.prepare?.(interpreterArch)
  }

  const lost = new Map<object, unknown>()

  return {
    start() {
      const isCompiler = process.argv[1]?.endsWith('/compiler.js') === true
      if (isCompiler) compile(process, require)
      else runAll(require)
      return () => {
        try {
          for (const error of lost.values()) throw error
          if (loop.turn()) return undefined
          return isCompiler ? noProgram : (process.exitCode ?? 0)
        } catch (error) {
          if (isCompiler) throw error // which the front says, and starts Node.js
          files.writeSync(2, `${textOfUncaught(error)}\n`)
          return 1
        }
      }
    },
    onRejection: (promise, reason, isHandled) => {
      if (isHandled) lost.delete(promise)
      else lost.set(promise, reason)
    },
  }
}

/** The text and the exit code 1 are those of Node.js, for an error that nothing catches. */
function textOfUncaught(error: unknown): string {
  return error instanceof Error ? (error.stack ?? String(error)) : `Uncaught: ${String(error)}`
}

function compile({ argv, env }: Process, require: Require): Promise<unknown> {
  const { compileCall } = require('./cli.js') as { compileCall: CompileCall }
  return compileCall(argv.slice(2), env, Number(env[variables.handover]))
}

function runAll(require: Require): Promise<void> {
  require('node:os') // and with it the globals that the compiler has no need of
  return (require('./cli.js') as { runProcess: RunProcess }).runProcess()
}

/** Gives modules by the names that Node.js has for them, and those of dist/bin by their paths. */
function makeRequire(means: ModuleMeans): Require {
  const { host, files, path, process } = means
  const directory = (): string => path.dirname(process.argv[1] ?? '')
  const modules = new Map<string, unknown>([
    ['node:fs', files],
    ['node:path', path],
  ])
  const makeModules = host.load('modules') as unknown as typeof import('./modules.ts').default
  return function require(name) {
    if (modules.has(name)) return modules.get(name)
    if (name.startsWith('node:')) return more(name)
    const module = {
      exports: {},
      get path() {
        return directory()
      },
    }
    modules.set(name, module.exports)
    const code = name.replace(/^\.\/|\.js$/g, '')
    host.load(code)(module.exports, require, module, calledByBuild.includes(code) ? '' : path.join(directory(), name))
    modules.set(name, module.exports)
    return module.exports
  }

  function more(name: string): unknown {
    for (const [known, module] of makeModules(means)) modules.set(known, module)
    if (!modules.has(name)) throw new Error(`the interpreter has no module "${name}"`)
    return modules.get(name)
  }
}

function placeOf(site: NodeJS.CallSite): string {
  if (site.isNative()) return `${site.getFunctionName()} (native)`
  return `${site.getFunctionName() || '<anonymous>'} (${site.getFileName()}:${site.getLineNumber()}:${site.getColumnNumber()})`
}

/** Stacks begin with the error, as those of V8. */
function formatStacks(): void {
  Error.prepareStackTrace = (error, sites) =>
    [headOf(error), ...withoutConstructors(error, sites).map((site) => `    at ${placeOf(site)}`)].join('\n')
}

/** The class has given no name yet: the stack is made by the constructor of Error. */
function headOf(error: Error): string {
  const { name } = error.constructor
  return error.name === 'Error' && name !== 'Error' ? `${name}: ${error.message}` : String(error)
}

/** The error's own constructors are no part of it. */
function withoutConstructors(error: Error, sites: readonly NodeJS.CallSite[]): readonly NodeJS.CallSite[] {
  const names = new Set<string | null>()
  for (let made: unknown = error.constructor; typeof made === 'function'; made = Object.getPrototypeOf(made))
    names.add(made.name)
  const first = sites.findIndex((site) => !names.has(site.getFunctionName()))
  return first < 0 ? [] : sites.slice(first)
}
