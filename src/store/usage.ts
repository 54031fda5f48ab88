import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OciError } from '../errors.ts'
import { withLock } from './lock.ts'
import { isOwnerAlive, ownerOf } from './owner.ts'

let serial = 0

/**
 * Says that this process is putting an image together, whose blobs are not listed yet and must not be removed.
 *
 * @returns ends that; a process that dies is known to have ended too
 */
export async function beginUse(store: string): Promise<() => void> {
  const path = join(store, 'ingest', `using.${ownerOf()}.${serial++}`)
  await withLock(join(store, 'index.lock'), async () => writeFileSync(path, ''))
  return () => rmSync(path, { force: true })
}

/** Does `work` while nobody uses the store or begins to. @throws OciError `ERR_STORE_IN_USE` */
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
