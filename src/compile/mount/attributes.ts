import { mountFlags, resolveKind, treeFlags } from '../../program/flags.ts'
import { op, type Step } from '../../program/program.ts'
import type { MountEntry } from './entries.ts'

/** Steps that apply the options for a mount and all mounts below it (`rro` ...). @param reopen see `reopened` */
export function compileRecursive(entry: MountEntry, slot: string, reopen: boolean): readonly Step[] {
  const { set, clear } = entry.options.recursive
  if (set === 0 && clear === 0) return []
  return [
    ...(reopen ? [reopened(entry, slot)] : []),
    setAttributes(slot, set, clear, treeFlags.RECURSIVE, `${entry.from}/options`),
  ]
}

/** Steps that set the propagation of a mount. @param reopen see `reopened` */
export function compilePropagation(entry: MountEntry, slot: string, reopen: boolean): readonly Step[] {
  if (entry.options.propagation.length === 0) return []
  return [
    ...(reopen ? [reopened(entry, slot)] : []),
    ...entry.options.propagation.map((spread) => setPropagation(slot, spread, `${entry.from}/options`)),
  ]
}

/** Opens the mount itself: after mount(2) the descriptor in `slot` still refers to the directory that it covers. */
function reopened(entry: MountEntry, slot: string): Step {
  return op(
    'resolve',
    { to: slot, root: 'root', path: entry.destination, kind: resolveKind.EXISTING, mode: 0 },
    entry.from,
  )
}

export function setAttributes(slot: string, set: number, clear: number, flags: number, from: string): Step {
  return op('mount_setattr', { slot, flags, set, clear, propagation: 0, userns: null }, from)
}

/** A step that sets the propagation of a mount, with MS_REC also of those below it. */
export function setPropagation(slot: string, propagation: number, from: string): Step {
  const flags = propagation & mountFlags.REC ? treeFlags.RECURSIVE : 0
  return op(
    'mount_setattr',
    { slot, flags, set: 0, clear: 0, propagation: propagation & ~mountFlags.REC, userns: null },
    from,
  )
}
