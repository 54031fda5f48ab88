import { MessageChannel, parentPort, workerData } from 'node:worker_threads'
import { fromPlainError, type PlainError, toPlainError } from '../errors.ts'
import { createWriter, onceEach, type WriterOptions } from './writer.ts'
import type { WriterReport, WriterRequest } from './writer-messages.ts'

/** The thread that writes a rootfs: parses archives and makes files while the main thread decompresses and verifies. */
function run(port: NonNullable<typeof parentPort>, options: WriterOptions): void {
  const report = (message: WriterReport) => port.postMessage(message)
  let onNodeOpsDone = (_error: PlainError | undefined): void => {}
  let hasFailed = false
  const writer = createWriter(options, {
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
        const { buffer, byteOffset, byteLength } = request.chunk
        await writer.push(Buffer.from(buffer, byteOffset, byteLength))
        release(buffer)
        report({ kind: 'pushed' })
        return
      }
      case 'end':
        report({ kind: 'ended', entries: await writer.end() })
        return
      case 'finish':
        await writer.finish()
        report({ kind: 'finished' })
    }
  }

  port.on('message', (request: WriterRequest) => {
    if (request.kind === 'node-ops-done') onNodeOpsDone(request.error)
    else if (request.kind === 'close') void writer.close().then(() => port.close())
    else if (!hasFailed) {
      onRequest(request).catch((error: unknown) => {
        hasFailed = true
        report({ kind: 'failure', error: toPlainError(error) })
      })
    }
  })
}

const nowhere = new MessageChannel().port1
nowhere.close()

/** Frees memory at once; else it waits for a garbage collection, and many megabytes wait with it. */
const release = (memory: ArrayBuffer): void => nowhere.postMessage(undefined, [memory])

if (parentPort === null) throw new Error('this module is the entry of a thread')
run(parentPort, workerData as WriterOptions)
