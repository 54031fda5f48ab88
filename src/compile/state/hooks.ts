import type { Hook, Hooks, RuntimeConfig } from '../../oci/runtime-config.ts'
import { op, type Step, type Text } from '../../program/program.ts'

export type HookKind = keyof Hooks

/** `ociVersion` of the state that hooks receive. */
const stateVersion = '1.3.0'

/** The part of the state that differs by hook. */
export interface HookSituation {
  readonly status: 'creating' | 'created' | 'running' | 'stopped'
  /** The pid in the hook's PID namespace: the register `own_pid` for hooks that the container's process runs. */
  readonly pid: 'pid' | 'own_pid' | number
  readonly bundle: string
}

/**
 * Steps that run the hooks of one kind, in order; a step fails when its hook does. A hook without `env` gets `inherited`, or
 * by default the runtime's own environment.
 *
 * @see runtime-spec 1.3.0 config.md "POSIX-platform Hooks", runtime.md "Lifecycle"
 */
export function compileHooks(
  kind: HookKind,
  config: RuntimeConfig,
  situation: HookSituation,
  inherited?: readonly string[],
): readonly Step[] {
  const input = hookState(config, situation)
  return (config.hooks?.[kind] ?? []).map((hook, index) => spawnHook(hook, input, `/hooks/${kind}/${index}`, inherited))
}

function spawnHook(hook: Hook, input: Text, from: string, inherited: readonly string[] | undefined): Step {
  const env = hook.env ?? inherited
  return op(
    'spawn',
    {
      path: hook.path,
      argv: hook.args === undefined || hook.args.length === 0 ? [hook.path] : hook.args,
      env: env ?? [],
      input,
      timeoutMs: hook.timeout === undefined ? -1 : hook.timeout * 1000,
      inheritEnv: env === undefined ? 1 : 0,
    },
    from,
  )
}

/** The state of the container as JSON, with registers for the ID and the pid. */
function hookState({ annotations }: RuntimeConfig, { status, pid, bundle }: HookSituation): Text {
  const rest = JSON.stringify({ bundle, ...(annotations === undefined ? {} : { annotations }) }).slice(1)
  return [
    `{"ociVersion":"${stateVersion}","id":"`,
    { register: 'id' },
    `","status":"${status}","pid":`,
    typeof pid === 'number' ? String(pid) : { register: pid },
    `,${rest}`,
  ]
}
