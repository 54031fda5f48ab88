import type { Descriptor } from '../oci/descriptor.ts'
import type { FetchedManifest } from '../registry/repository.ts'
import type { Ingest } from '../store/ingest.ts'

/** Fetches from one repository into a store. */
export interface Fetcher {
  /** A manifest or index by tag or digest. @throws OciError as `Repository.fetchManifest` */
  fetchManifest(version: string): Promise<FetchedManifest>
  /**
   * Takes a blob into the store; several calls may run at a time.
   * @param onProgress called with the number of bytes so far
   */
  download(blob: Descriptor, onProgress?: (bytes: number) => void): Ingest
  /** Ends all downloads; bytes that have arrived are kept. */
  close(): Promise<void>
}
