import { isSystemError, OciError } from '../errors.ts'
import { openFlags } from '../program/flags.ts'
import type { NodeOp } from '../program/node-op.ts'
import { type HostStep, op, type Program, type Step, undoable } from '../program/program.ts'
import { errorText } from './error-names.ts'
import { runProgram } from './runner.ts'

const rootfsSlot = 'rootfs'

/**
 * Applies `ops` beneath `rootfs`, in order, without following symlinks. Device nodes get their exact mode and owner.
 *
 * @throws OciError `ERR_SYSCALL` for the first operation that fails, with its file; those before it are applied
 */
export async function applyNodeOps(rootfs: string, ops: readonly NodeOp[]): Promise<void> {
  if (ops.length === 0) return
  try {
    await runProgram(nodeProgram(rootfs, ops), { id: 'unpack' })
  } catch (error) {
    const { cause } = error instanceof OciError ? error : {}
    const step = isSystemError(cause) && 'step' in cause ? Number(cause.step) : 0
    const failed = ops[step - stepsBefore]
    if (!isSystemError(cause) || failed === undefined) throw error
    throw new OciError('ERR_SYSCALL', `${describe(failed)}: ${errorText(-(cause.errno ?? 0))} (${cause.code})`, {
      cause,
    })
  }
}

/** Steps of the program before those of the operations. */
const stepsBefore = 1

/** Names an operation and its file, for messages. */
function describe(nodeOp: NodeOp): string {
  const path = JSON.stringify(Buffer.from(nodeOp.path).toString())
  switch (nodeOp.kind) {
    case 'mknod':
      return `cannot make the device or FIFO ${path}`
    case 'setxattr':
      return `cannot set the extended attribute ${JSON.stringify(nodeOp.name.slice(0, 80))} of ${path}`
    case 'utimens':
      return `cannot set the time of ${path}`
  }
}

function nodeProgram(rootfs: string, ops: readonly NodeOp[]): Program {
  const flags = openFlags.PATH | openFlags.DIRECTORY
  const host: readonly HostStep[] = [
    undoable(op('open', { to: rootfsSlot, at: null, path: rootfs, flags })),
    ...ops.map((nodeOp) => undoable(nodeStep(nodeOp))),
  ]
  return { host, stage: [], child: [] }
}

function nodeStep(nodeOp: NodeOp): Step {
  const { path } = nodeOp
  switch (nodeOp.kind) {
    case 'mknod':
      return op('make_node', {
        at: rootfsSlot,
        path,
        mode: nodeOp.mode,
        uid: nodeOp.uid,
        gid: nodeOp.gid,
        device: (BigInt(nodeOp.major) << 32n) | BigInt(nodeOp.minor),
      })
    case 'setxattr':
      return op('setxattr', { at: rootfsSlot, path, name: nodeOp.name, value: nodeOp.value })
    case 'utimens':
      return op('utimens', {
        at: rootfsSlot,
        path,
        seconds: nodeOp.seconds,
        nanoseconds: nodeOp.nanoseconds,
      })
  }
}
