import { parentPort, workerData } from 'node:worker_threads'
import pLimit from 'p-limit'
import { fromPlainError, toPlainError } from '../errors.ts'
import type { Credentials } from '../registry/credential-provider.ts'
import { openRepository } from '../registry/repository.ts'
import { takeIn } from '../store/ingest.ts'
import type { FetchReport, FetchRequest, FetchWork } from './fetch-messages.ts'

/** Blobs that are downloaded at the same time. */
const parallelBlobs = 4

/** The thread that fetches: receives, hashes and writes blobs while the main thread applies those before. */
function run(port: NonNullable<typeof parentPort>, { endpoints, ...facts }: FetchWork): void {
  const report = (message: FetchReport) => port.postMessage(message)
  const stop = new AbortController()
  const limit = pLimit(parallelBlobs)
  const questions = new Map<number, { resolve(value: Credentials | undefined): void; reject(error: Error): void }>()
  const repository = openRepository(endpoints, {
    ...facts,
    signal: stop.signal,
    log: (message) => report({ kind: 'log', message }),
    credentials: (registry, repository) =>
      new Promise((resolve, reject) => {
        questions.set(questions.size, { resolve, reject })
        report({ kind: 'wants-credentials', call: questions.size - 1, registry, repository })
      }),
  })

  /** Answers a call with what `work` comes to. */
  async function answer(call: number, work: () => Promise<Omit<FetchReport & { kind: 'answer' }, 'kind' | 'call'>>) {
    try {
      report({ kind: 'answer', call, ...(await work()) })
    } catch (error) {
      report({ kind: 'failure', call, error: toPlainError(error) })
    }
  }

  const calls = new Set<Promise<void>>()

  function onRequest(request: FetchRequest): void {
    switch (request.kind) {
      case 'manifest':
        calls.add(answer(request.call, async () => ({ manifest: await repository.fetchManifest(request.version) })))
        return
      case 'download': {
        const { call, blob, files } = request
        const work = () => {
          stop.signal.throwIfAborted()
          return takeIn(blob, files, {
            fetch: (from) => repository.fetchBlob(blob, from),
            advance: (bytes) => report({ kind: 'progress', call, bytes }),
            verified: () => report({ kind: 'verified', call }),
          })
        }
        calls.add(answer(call, () => limit(work).then(() => ({}))))
        return
      }
      case 'credentials':
        questions.get(request.call)?.resolve(request.credentials)
        return
      case 'no-credentials':
        questions.get(request.call)?.reject(fromPlainError(request.error))
        return
      case 'stop':
        stop.abort()
        void repository
          .close()
          .then(() => Promise.all(calls))
          .then(() => port.close())
    }
  }

  port.on('message', onRequest)
}

if (parentPort === null) throw new Error('this module is the entry of a thread')
run(parentPort, workerData as FetchWork)
