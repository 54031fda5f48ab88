import { barriers } from '../program/contract.ts'
import { prctl } from '../program/flags.ts'
import { type HostStep, op, type Step, undoable } from '../program/program.ts'
import type { CompileContext } from './context.ts'
import { compileNetworkProgram, networkProgramOf } from './network.ts'
import { compileHooks } from './state/hooks.ts'

/** Has the process killed with its parent. */
export const endWithParent = (from = ''): Step => op('prctl', { option: prctl.PDEATHSIG, value: sigkill }, from)

const sigkill = 9

/**
 * Hooks that run in the runtime's namespaces, while the container's process waits with its mounts made; before them the
 * program that is its way to the network.
 */
export function hostHooks(context: CompileContext): readonly HostStep[] {
  const { config, bundle } = context
  if (!hasHostHooks(context)) return []
  const situation = { status: 'creating', pid: 'pid', bundle } as const
  return [
    undoable(op('sync_wait', { barrier: barriers.mounted })),
    ...compileNetworkProgram(context),
    ...[
      ...compileHooks('prestart', config, situation),
      ...compileHooks('createRuntime', config, situation),
      op('sync_send', { barrier: barriers.hooked }),
    ].map((step) => undoable(step)),
  ]
}

/** The container's barriers around `hostHooks`, then the hooks that run in its own namespaces, in the rootfs directory. */
export function containerHooks(context: CompileContext): readonly Step[] {
  const { config, bundle } = context
  const own = compileHooks('createContainer', config, { status: 'creating', pid: 'own_pid', bundle })
  const from = '/hooks/createContainer'
  return [
    ...(hasHostHooks(context)
      ? [op('sync_send', { barrier: barriers.mounted }), op('sync_wait', { barrier: barriers.hooked })]
      : []),
    // A hook may take any time, and the process that waits for it must not outlive a runner that is killed meanwhile.
    ...(own.length > 0
      ? [
          endWithParent(from),
          op('fchdir', { slot: 'root' }, from),
          ...own,
          op('prctl', { option: prctl.PDEATHSIG, value: 0 }, from),
        ]
      : []),
  ]
}

/** Steps that wait until the command runs, then run the poststart hooks. After `create`, `start` runs these hooks. */
export function runningHooks({ config, mode, bundle, pidFile }: CompileContext): readonly HostStep[] {
  const poststart = compileHooks('poststart', config, { status: 'running', pid: 'pid', bundle })
  if (mode === 'create' || (mode === 'foreground' && poststart.length === 0 && pidFile === undefined)) return []
  return [op('sync_closed', {}), ...poststart].map((step) => undoable(step))
}

function hasHostHooks({ config }: CompileContext): boolean {
  const { hooks } = config
  return Boolean(hooks?.prestart?.length || hooks?.createRuntime?.length || networkProgramOf(config))
}
