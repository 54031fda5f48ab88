import { Worker } from 'node:worker_threads'
import { fromPlainError, toPlainError } from '../../errors.ts'
import type { NodeOp } from '../../program/node-op.ts'
import type { RootfsWriter, WriterHost, WriterOptions } from '../writer.ts'
import { threadEntry, threadEnvironment } from './entry.ts'
import type { WriterReport, WriterRequest } from './writer-messages.ts'

/** Entries are garbage as soon as they are applied; V8 would let 48 MB of garbage gather. */
const resourceLimits = { maxYoungGenerationSizeMb: 8 }

/** The most chunks in flight, to even out chunks that take longer to write. */
const maxChunks = 8

/** A writer that works in a thread of its own. An error is thrown by a later call than the one that caused it. */
export function threadedWriter(options: WriterOptions, { applyNodeOps, warn }: WriterHost): RootfsWriter {
  const thread = new Worker(threadEntry(import.meta.url, 'layer/thread/writer-thread.js'), {
    workerData: options,
    execArgv: [],
    env: threadEnvironment(),
    resourceLimits,
    trackUnmanagedFds: false,
  })
  const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()))
  let chunks = 0
  let failure: { readonly error: unknown } | undefined
  /** Passes a report to the waiting caller; there is at most one. */
  let wake = (_answer: WriterReport | undefined): void => {}

  const send = (request: WriterRequest, transfer: readonly ArrayBuffer[] = []) => thread.postMessage(request, transfer)

  function fail(error: unknown): void {
    failure ??= { error }
    wake(undefined)
  }

  /** The next report, unless the thread has failed. */
  async function next(): Promise<WriterReport> {
    if (failure === undefined) {
      const report = await new Promise<WriterReport | undefined>((resolve) => (wake = resolve))
      if (report !== undefined) return report
    }
    throw failure?.error
  }

  async function carryOut(ops: readonly NodeOp[]): Promise<void> {
    const error = await applyNodeOps(ops).then(() => undefined, toPlainError)
    send({ kind: 'node-ops-done', error })
  }

  thread.on('message', (report: WriterReport) => {
    if (report.kind === 'warning') warn(report.message)
    else if (report.kind === 'failure') fail(fromPlainError(report.error))
    else if (report.kind === 'node-ops') void carryOut(report.ops)
    else {
      if (report.kind === 'pushed') chunks -= 1
      wake(report)
    }
  })
  thread.once('error', fail)
  thread.once('exit', () => fail(new Error('the thread that writes the rootfs has ended')))

  return {
    begin: (name) => send({ kind: 'begin', name }),
    async push(chunk) {
      while (chunks >= maxChunks) await next()
      if (failure !== undefined) throw failure.error
      const own = ownMemory(chunk)
      chunks += 1
      send({ kind: 'push', chunk: own }, [own.buffer])
    },
    async end() {
      send({ kind: 'end' })
      for (;;) {
        const report = await next()
        if (report.kind === 'ended') return report.entries
      }
    },
    async finish() {
      send({ kind: 'finish' })
      while ((await next()).kind !== 'finished');
    },
    async close() {
      send({ kind: 'close' })
      await exited
    },
  }
}

/** The same bytes in memory of their own, which can be transferred to another thread. */
function ownMemory(chunk: Buffer): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = chunk
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) return new Uint8Array(buffer)
  return new Uint8Array(chunk)
}
