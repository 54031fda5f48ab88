import type { Process } from '../oci/runtime-config.ts'
import { openFlags } from '../program/flags.ts'
import { type HostStep, op, undoable } from '../program/program.ts'

/** Host steps after clone: a lower score takes a right that the process may not have. */
export function compileOomScore({ oomScoreAdj }: Process): readonly HostStep[] {
  if (oomScoreAdj === undefined) return []
  const path = ['/proc/', { register: 'pid' as const }, '/oom_score_adj']
  return [
    undoable(
      op(
        'write_file',
        { at: null, path, content: String(oomScoreAdj), flags: openFlags.WRONLY, mode: 0 },
        '/process/oomScoreAdj',
      ),
    ),
  ]
}
