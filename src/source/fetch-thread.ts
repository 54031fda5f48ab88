import { parentPort, workerData } from 'node:worker_threads'
import pLimit from 'p-limit'
import { fromPlainError, toPlainError } from '../errors.ts'
import type { Credentials } from '../registry/credential-provider.ts'
import { openRepository } from '../registry/repository.ts'
import { takeIn } from '../store/ingest.ts'
import type { FetchReport, FetchRequest, FetchWork } from './fetch-messages.ts'

/** Number of blobs downloaded at the same time. */
const parallelBlobs = 4

/** Runs the thread that fetches: it receives, hashes and writes blobs while the main thread applies earlier ones. */
function run(port: NonNullable<typeof parentPort>, { endpoints, ...facts }: FetchWork): void {
  const report = (message: FetchReport) => port.postMessage(message)
  const stop = new AbortController()
  const limit = pLimit(parallelBlobs)
  const questions = new Map<number, { resolve(value: Credentials | undefined): void; reject(error: Error): void }>()
  const repository = openRepository(endpoints, {
    ...facts,
    signal: stop.signal,
    log: (message) => report({ kind: 'log', message }),
    warn: (message) => report({ kind: 'warning', message }),
    credentials: (registry, repository) =>
      new Promise((resolve, reject) => {
        questions.set(questions.size, { resolve, reject })
        report({ kind: 'wants-credentials', id: questions.size - 1, registry, repository })
      }),
  })

  /** Answers a request with the result of `work`. */
  async function answer(id: number, work: () => Promise<Omit<FetchReport & { kind: 'answer' }, 'kind' | 'id'>>) {
    try {
      report({ kind: 'answer', id, ...(await work()) })
    } catch (error) {
      report({ kind: 'failure', id, error: toPlainError(error) })
    }
  }

  const answers = new Set<Promise<void>>()

  function onRequest(request: FetchRequest): void {
    switch (request.kind) {
      case 'manifest':
        answers.add(answer(request.id, async () => ({ manifest: await repository.fetchManifest(request.version) })))
        return
      case 'download': {
        const { id, blob, files } = request
        const work = () => {
          stop.signal.throwIfAborted()
          return takeIn(blob, files, {
            fetch: (from) => repository.fetchBlob(blob, from),
            advance: (bytes) => report({ kind: 'progress', id, bytes }),
            verified: () => report({ kind: 'verified', id }),
          })
        }
        answers.add(answer(id, () => limit(work).then(() => ({}))))
        return
      }
      case 'credentials':
        questions.get(request.id)?.resolve(request.credentials)
        return
      case 'no-credentials':
        questions.get(request.id)?.reject(fromPlainError(request.error))
        return
      case 'stop':
        stop.abort()
        void repository
          .close()
          .then(() => Promise.all(answers))
          .then(() => port.close())
    }
  }

  port.on('message', onRequest)
}

if (parentPort === null) throw new Error('this module is the entry of a thread')
run(parentPort, workerData as FetchWork)
