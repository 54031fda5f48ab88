import { fchmodSync, fchownSync, futimesSync, writeSync } from 'node:fs'
import { giveOwner } from './owner.ts'
import type { Owner } from './owner-record.ts'

/** Bytes of a chunk, `chunk[start..end)`, and where they belong in an open file. */
export interface Piece {
  readonly descriptor: number
  readonly start: number
  readonly end: number
  readonly position: number
}

/** What a file gets once its last byte is in it; undefined is what it has already. */
export interface Completion {
  readonly owner: Owner | undefined
  readonly mode: number | undefined
  /** Of its last change, since the epoch. */
  readonly seconds: number | undefined
}

/** Writes all of a piece, whatever write(2) takes at a time. */
export function writePiece(chunk: Uint8Array, { descriptor, start, end, position }: Piece): void {
  for (let at = start; at < end; ) at += writeSync(descriptor, chunk, at, end - at, position + at - start)
}

/**
 * Completes a file, which stays open.
 * @param name what errors call it
 * @throws OciError `ERR_NOT_SUPPORTED` the user namespace does not have the owner; the system error of a failing call
 */
export function completeFile(descriptor: number, name: string, { owner, mode, seconds }: Completion): void {
  if (owner !== undefined) giveOwner(name, owner, () => fchownSync(descriptor, owner.uid, owner.gid))
  // Writing and changing the owner clear the setuid and setgid bits, so they come last.
  if (mode !== undefined) fchmodSync(descriptor, mode)
  if (seconds !== undefined) futimesSync(descriptor, seconds, seconds)
}
