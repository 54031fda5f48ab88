import { openFlags } from '../program/flags.ts'
import type { NodeOp } from '../program/node-op.ts'
import { type HostStep, op, type Program, type Step, undoable } from '../program/program.ts'
import { runProgram } from './runner.ts'

const rootfsSlot = 'rootfs'

/**
 * Applies `ops` beneath `rootfs`, in order, without following symlinks. Device nodes get their exact mode and owner.
 *
 * @throws OciError `ERR_SYSCALL` for the first operation that fails; those before it are applied
 */
export async function applyNodeOps(rootfs: string, ops: readonly NodeOp[]): Promise<void> {
  if (ops.length === 0) return
  await runProgram(nodeProgram(rootfs, ops), { id: 'unpack' })
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
