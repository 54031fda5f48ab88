import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OciError } from '../errors.ts'
import { withLock } from './lock.ts'
import { isOwnerAlive, ownerOf } from './owner.ts'

let serial = 0

/**
 * Records that this process is assembling an image whose blobs are not listed yet and must not be removed.
 * @returns a function that removes the record; the record of a process that has ended counts for nothing
 */
export async function beginUse(store: string): Promise<() => void> {
  const path = join(store, 'ingest', `using.${ownerOf()}.${serial++}`)
  await withLock(join(store, 'index.lock'), async () => writeFileSync(path, ''))
  return () => rmSync(path, { force: true })
}

/** Runs `work` while no process uses the store or can begin to. @throws OciError `ERR_STORE_IN_USE` */
export async function withoutUsers<T>(store: string, work: () => Promise<T>): Promise<T> {
  return withLock(join(store, 'index.lock'), async () => {
    for (const name of readdirSync(join(store, 'ingest'))) {
      const owner = /^using\.(\d+-\d+)\.\d+$/.exec(name)?.[1]
      if (owner === undefined) continue
      if (isOwnerAlive(owner)) {
        throw new OciError('ERR_STORE_IN_USE', `process ${owner.split('-')[0]} is pulling into ${store}`, {
          hint: 'try again when it is done',
        })
      }
      rmSync(join(store, 'ingest', name), { force: true })
    }
    return work()
  })
}
