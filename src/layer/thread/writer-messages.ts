import type { PlainError } from '../../errors.ts'
import type { NodeOp } from '../node-op.ts'

/** To the thread that writes a rootfs. `begin` and `push` are answered by `pushed` and by nothing else unless they fail. */
export type WriterRequest =
  | { readonly kind: 'begin'; readonly name: string }
  | { readonly kind: 'push'; readonly chunk: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'end' }
  | { readonly kind: 'finish' }
  /** Answers `node-ops`: they are done, or one has failed. */
  | { readonly kind: 'node-ops-done'; readonly error: PlainError | undefined }
  | { readonly kind: 'close' }

/** From the thread that writes a rootfs. After `failure` it answers nothing more. */
export type WriterReport =
  | { readonly kind: 'pushed' }
  | { readonly kind: 'ended'; readonly entries: number }
  | { readonly kind: 'finished' }
  | { readonly kind: 'node-ops'; readonly ops: readonly NodeOp[] }
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'failure'; readonly error: PlainError }
