import type { Call } from '../../program/options.ts'
import { compileExec } from '../../runtime/compile-exec.ts'
import { compileLaunch } from '../../runtime/compile-launch.ts'
import { handOverMessage } from '../../runtime/compiled-call.ts'
import type { ExecOptions } from './exec.ts'
import type { RunOptions } from './run.ts'

/** A call of the front's, with its options. */
export type CallOfFront =
  | { readonly call: 'exec'; readonly options: ExecOptions }
  | { readonly call: Exclude<Call, 'exec'>; readonly options: RunOptions }

/**
 * Compiles a call and keeps its program.
 *
 * @returns the message with the program, as the front takes it
 * @throws OciError as `compileExec` and `compileLaunch`
 */
export async function compileForFront({ call, options }: CallOfFront): Promise<Uint8Array> {
  const compiled = call === 'exec' ? await compileExec(options) : await compileLaunch(options, modeOf(call, options))
  compiled.keep()
  return handOverMessage(compiled)
}

function modeOf(call: 'run' | 'create', { detach }: RunOptions): Parameters<typeof compileLaunch>[1] {
  if (call === 'create') return 'create'
  return detach ? 'detached' : 'foreground'
}
