import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'

/** Errors without a name in Node.js, of system calls that steps make. @see asm-generic/errno.h */
const others: Readonly<Record<number, readonly [name: string, text: string]>> = {
  15: ['ENOTBLK', 'block device required'],
  117: ['EUCLEAN', 'structure needs cleaning'],
  123: ['ENOMEDIUM', 'no medium found'],
  124: ['EMEDIUMTYPE', 'wrong medium type'],
  126: ['ENOKEY', 'required key not available'],
  127: ['EKEYEXPIRED', 'key has expired'],
  128: ['EKEYREVOKED', 'key has been revoked'],
}

/** The name of an error number: `EPERM` for 1. */
export function errorName(errno: number): string {
  const known = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0]
  return known ?? others[errno]?.[0] ?? `error ${errno}`
}

export function errorText(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? others[errno]?.[1] ?? 'unknown error'
}
