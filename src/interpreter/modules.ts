import { AbortControllerSubset, AbortSignalSubset } from './abort.ts'
import { makeChildProcess } from './child-process.ts'
import { EventEmitter } from './events.ts'
import { makeFilePromises } from './file-promises.ts'
import type { makeFileSystem } from './file-system.ts'
import { isIP } from './ip-address.ts'
import { makeOs } from './os.ts'
import type { PathModule } from './path.ts'
import type { Process } from './process.ts'
import type { Signals } from './signals.ts'
import { Stream, type StreamHost } from './stream.ts'
import { knownErrors, nameOfError, systemError } from './system-error.ts'
import { makeTextDecoder } from './text-decoder.ts'
import { makeTimers } from './timers.ts'
import { makeWatch } from './watch.ts'

export interface ModuleMeans extends StreamHost {
  readonly signals: Signals
  readonly process: Process
  readonly files: ReturnType<typeof makeFileSystem>
  readonly path: PathModule
}

/**
 * Makes the modules and the globals of Node.js that the command line uses, and the compiler does not: they are loaded when they
 * are first asked for.
 */
export default function makeModules(means: ModuleMeans): ReadonlyMap<string, unknown> {
  const { host, loop, process, files, path } = means
  const timers = makeTimers(loop)
  Object.assign(globalThis, {
    setTimeout: timers.setTimeout,
    clearTimeout: timers.clearTimeout,
    AbortController: AbortControllerSubset,
    AbortSignal: AbortSignalSubset,
    TextDecoder: makeTextDecoder(host),
  })
  const readText = (name: string): string => String(files.readFileSync(name, 'utf8'))
  return new Map<string, unknown>([
    ['node:fs', { ...files, watch: makeWatch(means) }],
    ['node:fs/promises', makeFilePromises(files)],
    ['node:path', { ...path, posix: path, delimiter: ':', sep: '/' }],
    ['node:process', process],
    ['node:os', makeOs(readText)],
    ['node:events', { EventEmitter }],
    ['node:util', { getSystemErrorMap: knownErrors, getSystemErrorName: nameOfError }],
    ['node:tty', { isatty: host.isTerminal }],
    ['node:timers/promises', timers.promises],
    ['node:net', { createConnection, isIP }],
    ['node:child_process', makeChildProcess({ ...means, ...timers })],
    ['node:crypto', { randomBytes }],
  ])

  function createConnection(place: string): Stream {
    return new Stream(means, host.connect(place), { path: place })
  }

  function randomBytes(size: number): Uint8Array {
    const bytes = means.buffers.alloc(size)
    const result = host.randomBytes(bytes)
    if (result < size) throw systemError(result, { syscall: 'getrandom' })
    return bytes
  }
}
