import { once } from 'node:events'
import { closeSync, openSync, write, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { isSystemError, OciError } from '../errors.ts'
import { argv0, structs, treeMemoryBytes } from '../program/contract.ts'
import { layOut } from '../program/structs.ts'
import { maxPlacedBytes, TreeFailure, type TreeProcess } from '../program/tree-process.ts'
import { systemError } from './command-error.ts'
import { findRunner } from './runner.ts'

const { size: reportBytes, at } = layOut(structs.tree_report)

const fewBytes = 256 * 1024

const writeAt = promisify(write)

/** Commands that have been sent, and not been answered. */
interface Batch {
  readonly things: readonly unknown[]
  /** The place that their data take, if they have some. */
  readonly place: number | undefined
}

/**
 * Starts the runner for the tree in a directory: it makes files while this process decompresses and verifies. It ends with
 * the thread that has started it.
 *
 * Data of files go through memory that both have open, so that they are copied once, and read where they are. A place that was
 * freed last is used first: as long as the runner keeps up, a few megabytes are used, which are in the processor's cache.
 * @throws OciError `ERR_RUNNER_MISSING`
 */
export function startTree(directory: string): TreeProcess {
  const { spawn } = process.getBuiltinModule('node:child_process')
  const words = [directory, String(process.pid)]
  const child = spawn(findRunner(), words, { argv0: argv0.tree, stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const batches: Batch[] = []
  let memory: number | undefined
  let failure: { readonly error: unknown } | undefined
  let wake = (): void => {}
  let copying = Promise.resolve()
  const free = Array.from({ length: treeMemoryBytes / maxPlacedBytes }, (_, index) => index * maxPlacedBytes).reverse()
  /** The place that has been taken, and that no command refers to yet. */
  let taken: number | undefined

  /** Copies by the thread pool, while this thread reads what the bytes are; a few are sooner copied than passed on. */
  async function copy(bytes: Uint8Array, to: number): Promise<void> {
    const descriptor = memory ?? -1
    for (let done = 0; done < bytes.length; ) {
      const left = bytes.length - done
      if (left < fewBytes) done += writeSync(descriptor, bytes, done, left, to + done)
      else done += (await writeAt(descriptor, bytes, done, left, to + done)).bytesWritten
    }
  }

  function fail(error: unknown): void {
    failure ??= { error }
    wake()
  }

  /** Waits until `isSo`. @throws what has failed */
  async function until(isSo: () => boolean): Promise<void> {
    while (failure === undefined && !isSo()) await new Promise<void>((resolve) => (wake = resolve))
    if (failure !== undefined) throw failure.error
  }

  function giveBack(place: number | undefined): void {
    if (place !== undefined) free.push(place)
  }

  function openMemory(descriptor: number): void {
    try {
      memory = openSync(`/proc/${child.pid}/fd/${descriptor}`, 'r+')
    } catch (error) {
      if (!isSystemError(error)) throw error
      // Where the process has ended already, the next report or its exit code says why.
      if (error.code !== 'ENOENT') fail(error)
    }
  }

  function onReport(report: Buffer): void {
    const error = report.readInt32LE(at.error)
    if (error !== 0) fail(failureOf(report, batches[0]))
    else if (memory === undefined) openMemory(report.readInt32LE(at.memory))
    else giveBack(batches.shift()?.place)
    wake()
  }

  let held: Buffer = Buffer.alloc(0)
  child.stdout.on('data', (bytes: Buffer) => {
    held = held.length === 0 ? bytes : Buffer.concat([held, bytes])
    for (; held.length >= reportBytes; held = held.subarray(reportBytes)) onReport(held)
  })
  child.stdin.on('error', () => undefined) // its end says more
  exited.then(([code, signal]) => fail(ended(code ?? signal)), fail)

  return {
    async place(bytes) {
      giveBack(taken)
      taken = undefined
      const hasRoom = (): boolean => memory !== undefined && free.length > 0
      if (failure !== undefined || !hasRoom()) await until(hasRoom)
      taken = free.pop() ?? 0
      copying = copy(bytes, taken)
      copying.catch(() => undefined) // `placed` throws it
      return taken
    },
    placed: () => copying,
    send(commands, things) {
      batches.push({ things, place: taken })
      taken = undefined
      child.stdin.write(commands)
    },
    idle: () => until(() => batches.length === 0),
    async close() {
      if (batches.length === 0) child.stdin.end()
      else child.kill('SIGKILL')
      await Promise.allSettled([exited, copying]) // `fail` and `placed` have their errors
      if (memory !== undefined) closeSync(memory)
      memory = undefined
    },
  }
}

/** The error in a report. */
function failureOf(report: Buffer, batch: Batch | undefined): Error {
  const cause = systemError(report.readInt32LE(at.error), report.readInt32LE(at.syscall))
  return new TreeFailure(batch?.things[report.readUInt32LE(at.command)], cause)
}

const ended = (how: number | string): OciError =>
  new OciError('ERR_RUNNER_MISSING', `the runner ended with ${how} while it made files`, {
    hint: 'use the runner of the same version, for this architecture: run "npm run build"',
  })
