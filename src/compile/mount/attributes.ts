import { mountFlags, resolveKind, treeFlags } from '../../program/flags.ts'
import { op, type Step } from '../../program/program.ts'
import type { MountEntry } from './entries.ts'

/** The options that concern a mount and all below it. */
export function compileRecursive(entry: MountEntry, slot: string, reopen: boolean): readonly Step[] {
  const { set, clear } = entry.options.recursive
  if (set === 0 && clear === 0) return []
  return [
    ...(reopen ? [reopened(entry, slot)] : []),
    setAttributes(slot, set, clear, treeFlags.RECURSIVE, `${entry.from}/options`),
  ]
}

/** How mounts made below it later spread. */
export function compilePropagation(entry: MountEntry, slot: string, reopen: boolean): readonly Step[] {
  if (entry.options.propagation.length === 0) return []
  return [
    ...(reopen ? [reopened(entry, slot)] : []),
    ...entry.options.propagation.map((spread) => setPropagation(slot, spread, `${entry.from}/options`)),
  ]
}

/** After mount(2) the descriptor is still what the mount covers: open the mount itself. */
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

/** How a mount passes on what is mounted below it later, and with `REC` those below it too. */
export function setPropagation(slot: string, propagation: number, from: string): Step {
  const flags = propagation & mountFlags.REC ? treeFlags.RECURSIVE : 0
  return op(
    'mount_setattr',
    { slot, flags, set: 0, clear: 0, propagation: propagation & ~mountFlags.REC, userns: null },
    from,
  )
}
