import { Worker } from 'node:worker_threads'
import { fromPlainError, toPlainError } from '../errors.ts'
import { threadEntry, threadEnvironment } from '../layer/thread/entry.ts'
import type { CredentialProvider } from '../registry/credential-provider.ts'
import type { FetchedManifest } from '../registry/repository.ts'
import type { IngestEvents } from '../store/ingest.ts'
import type { Store } from '../store/store.ts'
import type { FetchReport, FetchRequest, FetchWork } from './fetch-messages.ts'
import type { Fetcher } from './fetcher.ts'

export interface ThreadedFetcherOptions extends FetchWork {
  readonly store: Store
  readonly credentials: CredentialProvider
  readonly signal?: AbortSignal | undefined
  readonly log?: ((message: string) => void) | undefined
}

/** Received bytes are freed by scavenges of the young generation: the smaller it is, the less memory they take. */
const resourceLimits = { maxYoungGenerationSizeMb: 3 }

/** A call that has not been answered. */
interface Call {
  readonly resolve: (answer: { readonly manifest?: FetchedManifest }) => void
  readonly reject: (error: unknown) => void
  readonly events?: IngestEvents
}

/**
 * A fetcher whose work is done in a thread of its own: receiving, hashing and writing go on while this thread is busy
 * applying layers with synchronous calls, and the HTTP client is loaded while this thread loads the rest.
 */
export function threadedFetcher(options: ThreadedFetcherOptions): Fetcher {
  const { store, credentials, signal, log, ...work } = options
  const thread = new Worker(threadEntry(import.meta.url, 'source/fetch-thread.js'), {
    workerData: work satisfies FetchWork,
    execArgv: [],
    env: threadEnvironment(),
    resourceLimits,
  })
  const send = (request: FetchRequest) => thread.postMessage(request)
  const calls = new Map<number, Call>()
  let failure: { readonly error: unknown } | undefined
  let serial = 0

  function call(request: (call: number) => FetchRequest, events?: IngestEvents) {
    return new Promise<{ readonly manifest?: FetchedManifest }>((resolve, reject) => {
      if (failure !== undefined) throw failure.error
      serial += 1
      calls.set(serial, { resolve, reject, ...(events !== undefined && { events }) })
      send(request(serial))
    })
  }

  function failAll(error: unknown): void {
    failure ??= { error }
    for (const { reject } of calls.values()) reject(error)
    calls.clear()
  }

  async function answerQuestion({
    call,
    registry,
    repository,
  }: FetchReport & { kind: 'wants-credentials' }): Promise<void> {
    try {
      send({ kind: 'credentials', call, credentials: await credentials(registry, repository) })
    } catch (error) {
      send({ kind: 'no-credentials', call, error: toPlainError(error) })
    }
  }

  /** Ends a call, which is answered once. */
  function take(number: number): Call | undefined {
    const call = calls.get(number)
    calls.delete(number)
    return call
  }

  function onReport(report: FetchReport): void {
    switch (report.kind) {
      case 'log':
        log?.(report.message)
        break
      case 'wants-credentials':
        void answerQuestion(report)
        break
      case 'progress':
        calls.get(report.call)?.events?.advance(report.bytes)
        break
      case 'verified':
        calls.get(report.call)?.events?.verified()
        break
      case 'answer':
        take(report.call)?.resolve(report)
        break
      case 'failure':
        take(report.call)?.reject(fromPlainError(report.error))
    }
  }

  const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()))
  const onAbort = () => {
    failAll(signal?.reason)
    send({ kind: 'stop' })
  }
  thread.on('message', onReport)
  thread.once('error', failAll)
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort)

  return {
    async fetchManifest(version) {
      const { manifest } = await call((number) => ({ kind: 'manifest', call: number, version }))
      if (manifest === undefined) throw new Error('the answer has no manifest')
      return manifest
    },
    download: (blob, onProgress) =>
      store.receive(blob, async (files, { advance, verified }) => {
        const report = (bytes: number) => {
          advance(bytes)
          onProgress?.(bytes)
        }
        await call((number) => ({ kind: 'download', call: number, blob, files }), { advance: report, verified })
      }),
    async close() {
      signal?.removeEventListener('abort', onAbort)
      send({ kind: 'stop' })
      await exited
      failAll(new Error('the fetcher is closed'))
    },
  }
}
