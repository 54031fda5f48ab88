import { formatPlatform } from '../../oci/platform.ts'
import { refNameAnnotation } from '../../store/layout.ts'
import { defaultStorePath } from '../../store/location.ts'
import { reachable } from '../../store/reachable.ts'
import { openStore, openStoreToWrite } from '../../store/store.ts'

export interface StoreOptions {
  /** Directory of the store; default: /var/lib/bundle-tool, or `$XDG_DATA_HOME/bundle-tool` for others than root. */
  readonly store?: string | undefined
  readonly env?: NodeJS.ProcessEnv | undefined
}

/** An image that has been pulled. */
export interface StoredImage {
  readonly name: string
  readonly digest: string
  readonly platform: string | undefined
  /** Bytes of its blobs; those it shares with others count for each. */
  readonly size: number
}

/** Lists the images of the store, the newest first. @throws OciError `ERR_STORE_INVALID`, `ERR_PERMISSION` */
export async function images(options: StoreOptions = {}): Promise<StoredImage[]> {
  const store = await openStoreOf(options)
  const listed: StoredImage[] = []
  for (const entry of await store.list()) {
    const blobs = [...(await reachable(store, entry)).values()]
    listed.push({
      name: entry.annotations?.[refNameAnnotation] ?? '',
      digest: entry.digest,
      platform: entry.platform === undefined ? undefined : formatPlatform(entry.platform),
      size: blobs.reduce((sum, blob) => sum + blob.size, 0),
    })
  }
  return listed
}

export function openStoreOf({ store, env = process.env }: StoreOptions): ReturnType<typeof openStore> {
  return openStore(store ?? defaultStorePath(env))
}

export function openStoreToWriteOf({ store, env = process.env }: StoreOptions): ReturnType<typeof openStore> {
  return openStoreToWrite(store ?? defaultStorePath(env))
}
