import { toPointer } from '../../oci/schema.ts'
import { openFlags } from '../../program/flags.ts'
import { type HostStep, op, undoable } from '../../program/program.ts'
import type { CompileContext } from '../context.ts'

/** The annotations that name files for what hooks write, as with crun. */
export const hookOutputAnnotations = { stdout: 'run.oci.hooks.stdout', stderr: 'run.oci.hooks.stderr' } as const

export type HookStream = keyof typeof hookOutputAnnotations

/** Absolute paths of the files that hooks append to; a relative one is in the bundle. What has no file is for error messages. */
export function hookOutputs(
  annotations: Readonly<Record<string, string>> = {},
  bundle: string,
): Readonly<Record<HookStream, string | undefined>> {
  const pathOf = (stream: HookStream): string | undefined => {
    const path = annotations[hookOutputAnnotations[stream]]
    return path === undefined || path.startsWith('/') ? path : `${bundle}/${path}`
  }
  return { stdout: pathOf('stdout'), stderr: pathOf('stderr') }
}

/** Host steps that open these files, which are made where they are not there, before the first hook runs. */
export function compileHookOutput({ config, bundle }: CompileContext): readonly HostStep[] {
  const outputs = hookOutputs(config.annotations, bundle)
  const streams = (['stdout', 'stderr'] as const).filter((stream) => outputs[stream] !== undefined)
  const hooks: readonly (readonly unknown[] | undefined)[] = Object.values(config.hooks ?? {})
  const hasHooks = hooks.some((list) => list !== undefined && list.length > 0)
  if (streams.length === 0 || !hasHooks) return []
  const flags = openFlags.WRONLY | openFlags.CREAT | openFlags.APPEND
  const slotOf = (stream: HookStream): string | null => (streams.includes(stream) ? `hook_${stream}` : null)
  return [
    ...streams.map((stream) =>
      op(
        'open',
        { to: `hook_${stream}`, at: null, path: outputs[stream] ?? '', flags },
        toPointer(['annotations', hookOutputAnnotations[stream]]),
      ),
    ),
    op('helper_output', { stdout: slotOf('stdout'), stderr: slotOf('stderr') }, '/annotations'),
  ].map((step) => undoable(step))
}
