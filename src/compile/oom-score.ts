import type { Process } from '../oci/runtime-config.ts'
import { openFlags } from '../program/flags.ts'
import { type HostStep, op, undoable } from '../program/program.ts'

/** Host steps after clone: a lower score needs a capability (CAP_SYS_RESOURCE) that the process may lack. */
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
