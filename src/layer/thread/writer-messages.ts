import type { PlainError } from '../../errors.ts'
import type { NodeOp } from '../../program/node-op.ts'

/**
 * A message to the thread that writes a rootfs. `push` is answered by `pushed`, `end` by `ended`, `finish` by
 * `finished`, or any of them by `failure`; `begin` has no answer.
 */
export type WriterRequest =
  | { readonly kind: 'begin'; readonly name: string }
  | { readonly kind: 'push'; readonly chunk: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'end' }
  | { readonly kind: 'finish' }
  /** The answer to `node-ops`: all are applied, or one has failed. */
  | { readonly kind: 'node-ops-done'; readonly error: PlainError | undefined }
  | { readonly kind: 'close' }

/** A message from the thread that writes a rootfs. No answer follows after `failure`. */
export type WriterReport =
  | { readonly kind: 'pushed' }
  | { readonly kind: 'ended'; readonly entries: number }
  | { readonly kind: 'finished' }
  | { readonly kind: 'node-ops'; readonly ops: readonly NodeOp[] }
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'failure'; readonly error: PlainError }
