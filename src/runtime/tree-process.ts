import { once } from 'node:events'
import { closeSync, openSync, write, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { isSystemError, OciError } from '../errors.ts'
import { argv0, structs, treeRingBytes } from '../program/contract.ts'
import { layOut } from '../program/structs.ts'
import { TreeFailure, type TreeProcess } from '../program/tree-process.ts'
import { systemError } from './command-error.ts'
import { findRunner } from './runner.ts'

const { size: reportBytes, at } = layOut(structs.tree_report)

const fewBytes = 256 * 1024

const writeAt = promisify(write)

/** Commands that have been sent, and not been answered. */
interface Batch {
  readonly things: readonly unknown[]
  /** Where what was placed for them ends. */
  readonly end: number
}

/**
 * Starts the runner for the tree in a directory: it makes files while this process decompresses and verifies. It ends with
 * the thread that has started it.
 *
 * Placed entries go through a ring of memory that both have open, so that they are copied once, and read where they are.
 * @throws OciError `ERR_RUNNER_MISSING`
 */
export function startTree(directory: string): TreeProcess {
  const { spawn } = process.getBuiltinModule('node:child_process')
  const words = [directory, String(process.pid)]
  const child = spawn(findRunner(), words, { argv0: argv0.tree, stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const batches: Batch[] = []
  let ring: number | undefined
  let failure: { readonly error: unknown } | undefined
  let wake = (): void => {}
  let copying = Promise.resolve()
  // Places in the ring go on counting, round after round: all from `freed` up to `placed` is in use.
  let placed = 0
  let freed = 0

  /** Copies by the thread pool, while this thread reads what the bytes are; a few are sooner copied than passed on. */
  async function copy(bytes: Uint8Array, to: number): Promise<void> {
    const descriptor = ring ?? -1
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

  function openRing(descriptor: number): void {
    try {
      ring = openSync(`/proc/${child.pid}/fd/${descriptor}`, 'r+')
    } catch (error) {
      if (!isSystemError(error)) throw error
      // Where the process has ended already, the next report or its exit code says why.
      if (error.code !== 'ENOENT') fail(error)
    }
  }

  function onReport(report: Buffer): void {
    const error = report.readInt32LE(at.error)
    if (error !== 0) fail(failureOf(report, batches[0]))
    else if (ring === undefined) openRing(report.readInt32LE(at.ring))
    else freed = batches.shift()?.end ?? placed
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
      // Nothing refers to what was placed before, and then not used.
      if (batches.length === 0) freed = placed
      const left = treeRingBytes - (placed % treeRingBytes)
      const start = left < bytes.length ? placed + left : placed
      const hasRoom = (): boolean => ring !== undefined && start + bytes.length - freed <= treeRingBytes
      if (failure !== undefined || !hasRoom()) await until(hasRoom)
      placed = start + bytes.length
      copying = copy(bytes, start % treeRingBytes)
      copying.catch(() => undefined) // `placed` throws it
      return start % treeRingBytes
    },
    placed: () => copying,
    send(commands, things) {
      batches.push({ things, end: placed })
      child.stdin.write(commands)
    },
    idle: () => until(() => batches.length === 0),
    async close() {
      if (batches.length === 0) child.stdin.end()
      else child.kill('SIGKILL')
      await Promise.allSettled([exited, copying]) // `fail` and `placed` have their errors
      if (ring !== undefined) closeSync(ring)
      ring = undefined
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
