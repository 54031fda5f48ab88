import { parentPort, workerData } from 'node:worker_threads'
import { fromPlainError, type PlainError, toPlainError } from '../../errors.ts'
import { release } from '../release.ts'
import { createWriter, onceEach, type WriterOptions } from '../writer.ts'
import { threadedFiles } from './files.ts'
import type { WriterReport, WriterRequest } from './writer-messages.ts'

/**
 * Runs the thread that writes a rootfs: it parses archives and creates files while the main thread decompresses and
 * verifies.
 */
function run(port: NonNullable<typeof parentPort>, options: WriterOptions): void {
  const report = (message: WriterReport) => port.postMessage(message)
  let onNodeOpsDone = (_error: PlainError | undefined): void => {}
  let hasFailed = false

  function fail(error: unknown): void {
    if (!hasFailed) report({ kind: 'failure', error: toPlainError(error) })
    hasFailed = true
  }

  const files = threadedFiles({ onDone: () => report({ kind: 'pushed' }), onFailure: fail })
  const writer = createWriter(options, {
    queue: files,
    warn: onceEach((message) => report({ kind: 'warning', message })),
    applyNodeOps: (ops) =>
      new Promise((resolve, reject) => {
        onNodeOpsDone = (error) => (error === undefined ? resolve() : reject(fromPlainError(error)))
        report({ kind: 'node-ops', ops })
      }),
  })

  async function onRequest(request: Exclude<WriterRequest, { kind: 'node-ops-done' | 'close' }>): Promise<void> {
    switch (request.kind) {
      case 'begin':
        writer.begin(request.name)
        return
      case 'push': {
        const { buffer } = request.chunk
        try {
          await writer.push(Buffer.from(buffer))
        } finally {
          // Passed on also when the chunk has failed: files that it began are open.
          if (!files.passOn(buffer)) {
            release(buffer)
            report({ kind: 'pushed' })
          }
        }
        return
      }
      case 'end':
        report({ kind: 'ended', entries: await writer.end() })
        return
      case 'finish':
        await files.idle()
        if (hasFailed) return
        await writer.finish()
        report({ kind: 'finished' })
    }
  }

  async function close(): Promise<void> {
    await writer.close()
    files.passOn(new ArrayBuffer(0))
    await files.close()
    port.close()
  }

  port.on('message', (request: WriterRequest) => {
    if (request.kind === 'node-ops-done') onNodeOpsDone(request.error)
    else if (request.kind === 'close') void close()
    else if (!hasFailed) onRequest(request).catch(fail)
  })
}

if (parentPort === null) throw new Error('this module is the entry of a thread')
run(parentPort, workerData as WriterOptions)
