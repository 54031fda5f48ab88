import { openFlags } from '../program/flags.ts'
import { type HostStep, op, type Program, type Step, undoable } from '../program/program.ts'
import { runProgram } from './runner.ts'

/**
 * An operation of the layer applier that Node.js has no call for, equal to `NodeOp` of layer/. Paths are relative to
 * the rootfs, in bytes.
 */
export type NodeOp =
  | {
      readonly kind: 'mknod'
      readonly path: Uint8Array
      readonly mode: number
      readonly uid: number
      readonly gid: number
      readonly major: number
      readonly minor: number
    }
  | { readonly kind: 'setxattr'; readonly path: Uint8Array; readonly name: string; readonly value: Uint8Array }
  | {
      readonly kind: 'utimens'
      readonly path: Uint8Array
      readonly seconds: bigint
      readonly nanoseconds: number
    }

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
