import { Worker } from 'node:worker_threads'
import { fromPlainError, toPlainError } from '../errors.ts'
import type { CredentialProvider } from '../registry/credential-provider.ts'
import type { FetchedManifest } from '../registry/repository.ts'
import type { IngestEvents } from '../store/ingest.ts'
import type { Store } from '../store/store.ts'
import type { FetchReport, FetchRequest, FetchWork } from './fetch-messages.ts'
import type { Fetcher } from './fetcher.ts'
import { threadEntry, threadEnvironment } from './thread-entry.ts'

export interface ThreadedFetcherOptions extends FetchWork {
  readonly store: Store
  readonly credentials: CredentialProvider
  readonly signal?: AbortSignal | undefined
  readonly log?: ((message: string) => void) | undefined
  readonly warn?: ((message: string) => void) | undefined
}

/** Received bytes are freed by scavenges of the young generation: the smaller it is, the less memory they take. */
const resourceLimits = { maxYoungGenerationSizeMb: 3 }

/** A request that has not been answered. */
interface PendingRequest {
  readonly resolve: (answer: { readonly manifest?: FetchedManifest }) => void
  readonly reject: (error: unknown) => void
  readonly events?: IngestEvents
}

/**
 * A fetcher that works in a thread of its own: it receives, hashes and writes while this thread is busy applying layers
 * with synchronous calls, and loads the HTTP client while this thread loads the rest.
 */
export function threadedFetcher(options: ThreadedFetcherOptions): Fetcher {
  const { store, credentials, signal, log, warn, ...work } = options
  const thread = new Worker(threadEntry(import.meta.url, 'source/fetch-thread.js'), {
    workerData: work satisfies FetchWork,
    execArgv: [],
    env: threadEnvironment(),
    resourceLimits,
  })
  const send = (request: FetchRequest) => thread.postMessage(request)
  const pending = new Map<number, PendingRequest>()
  let failure: { readonly error: unknown } | undefined
  let serial = 0

  function request(make: (id: number) => FetchRequest, events?: IngestEvents) {
    return new Promise<{ readonly manifest?: FetchedManifest }>((resolve, reject) => {
      if (failure !== undefined) throw failure.error
      serial += 1
      pending.set(serial, { resolve, reject, ...(events !== undefined && { events }) })
      send(make(serial))
    })
  }

  function failAll(error: unknown): void {
    failure ??= { error }
    for (const { reject } of pending.values()) reject(error)
    pending.clear()
  }

  async function answerQuestion({
    id,
    registry,
    repository,
  }: FetchReport & { kind: 'wants-credentials' }): Promise<void> {
    try {
      send({ kind: 'credentials', id, credentials: await credentials(registry, repository) })
    } catch (error) {
      send({ kind: 'no-credentials', id, error: toPlainError(error) })
    }
  }

  /** Removes and returns a pending request: each is answered once. */
  function take(id: number): PendingRequest | undefined {
    const taken = pending.get(id)
    pending.delete(id)
    return taken
  }

  function onReport(report: FetchReport): void {
    switch (report.kind) {
      case 'log':
        log?.(report.message)
        break
      case 'warning':
        warn?.(report.message)
        break
      case 'wants-credentials':
        void answerQuestion(report)
        break
      case 'progress':
        pending.get(report.id)?.events?.advance(report.bytes)
        break
      case 'verified':
        pending.get(report.id)?.events?.verified()
        break
      case 'answer':
        take(report.id)?.resolve(report)
        break
      case 'failure':
        take(report.id)?.reject(fromPlainError(report.error))
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
      const { manifest } = await request((id) => ({ kind: 'manifest', id, version }))
      if (manifest === undefined) throw new Error('the answer has no manifest')
      return manifest
    },
    download: (blob, onProgress) =>
      store.receive(blob, async (files, { advance, verified }) => {
        const report = (bytes: number) => {
          advance(bytes)
          onProgress?.(bytes)
        }
        await request((id) => ({ kind: 'download', id, blob, files }), { advance: report, verified })
      }),
    async close() {
      signal?.removeEventListener('abort', onAbort)
      send({ kind: 'stop' })
      await exited
      failAll(new Error('the fetcher is closed'))
    },
  }
}
