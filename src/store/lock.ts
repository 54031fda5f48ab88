import { linkSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isSystemError, OciError } from '../errors.ts'
import { isOwnerAlive, ownerOf } from './owner.ts'

/**
 * Age at which a lock is stale. Work under a lock takes milliseconds, so an older lock was left by a process that is
 * not visible here.
 */
const staleMs = 30_000
const pollMs = 5

let serial = 0

/**
 * Runs `work` while no other process (or task of this one) holds the lock file `path`.
 *
 * The file names its owner and is made by link(2), so it is never visible half written. A lock whose owner has ended is
 * removed.
 * @throws OciError `ERR_STORE_INVALID` the lock is not free after a minute
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  await acquire(path, Date.now() + 2 * staleMs)
  try {
    return await work()
  } finally {
    unlinkSync(path)
  }
}

async function acquire(path: string, deadline: number): Promise<void> {
  while (!tryLock(path)) {
    if (isStale(path)) breakLock(path)
    else if (Date.now() > deadline) {
      throw new OciError('ERR_STORE_INVALID', `${path} has been locked for a minute`, {
        hint: `remove ${path} if nothing uses the store`,
      })
    } else await sleep(pollMs)
  }
}

function tryLock(path: string): boolean {
  const mine = `${path}.${ownerOf()}.${serial++}`
  writeFileSync(mine, ownerOf())
  try {
    linkSync(mine, path)
    return true
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) return false
    throw error
  } finally {
    unlinkSync(mine)
  }
}

function isStale(path: string): boolean {
  try {
    return Date.now() - statSync(path).mtimeMs > staleMs || !isOwnerAlive(readFileSync(path, 'utf8'))
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false
    throw error
  }
}

/**
 * Removes a stale lock, under a second lock: between the check and the removal another process could take the first one
 * anew.
 */
function breakLock(path: string): void {
  const breaker = `${path}.break`
  if (!tryLock(breaker)) {
    if (isStale(breaker)) rmSync(breaker, { force: true })
    return
  }
  try {
    if (isStale(path)) rmSync(path, { force: true })
  } finally {
    rmSync(breaker, { force: true })
  }
}
