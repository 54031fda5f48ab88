import { fchmodSync, fchownSync, futimesSync, writeSync } from 'node:fs'
import { giveOwner } from './owner.ts'
import type { Owner } from './owner-record.ts'

/** Bytes of a chunk, `chunk[start..end)`, and their position in an open file. */
export interface Piece {
  readonly descriptor: number
  readonly start: number
  readonly end: number
  readonly position: number
}

/** Attributes that a file gets after its last byte; undefined for one that is right already. */
export interface Completion {
  readonly owner: Owner | undefined
  readonly mode: number | undefined
  /** Modification time in seconds since the epoch. */
  readonly seconds: number | undefined
}

/** Writes a whole piece, by as many calls of write(2) as it takes. */
export function writePiece(chunk: Uint8Array, { descriptor, start, end, position }: Piece): void {
  for (let at = start; at < end; ) at += writeSync(descriptor, chunk, at, end - at, position + at - start)
}

/**
 * Sets the attributes of a file, which stays open.
 * @param name the file's name in errors
 * @throws OciError `ERR_NOT_SUPPORTED` the user namespace does not map the owner; the system error of a failing call
 */
export function completeFile(descriptor: number, name: string, { owner, mode, seconds }: Completion): void {
  if (owner !== undefined) giveOwner(name, owner, () => fchownSync(descriptor, owner.uid, owner.gid))
  // Writing and changing the owner clear the setuid and setgid bits, so the mode is set after them.
  if (mode !== undefined) fchmodSync(descriptor, mode)
  if (seconds !== undefined) futimesSync(descriptor, seconds, seconds)
}
