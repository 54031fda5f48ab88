import type { Hook, Hooks, RuntimeConfig } from '../../oci/runtime-config.ts'
import { op, type Step, type Text } from '../../program/program.ts'

export type HookKind = keyof Hooks

/** The version of the runtime specification that hooks are told. */
const stateVersion = '1.3.0'

/** What a hook is told of the container. */
export interface HookSituation {
  readonly status: 'creating' | 'created' | 'running' | 'stopped'
  /** As the hook sees it: `own_pid` for those that the container's process runs. */
  readonly pid: 'pid' | 'own_pid' | number
  readonly bundle: string
}

/**
 * The hooks of one kind, in order, each a step that fails when the hook does. A hook without `env` gets `inherited`, or
 * the runtime's own environment.
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

/** The state of the container as JSON, with the ID and the pid filled in when the hook runs. */
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
