import { OciError } from '../../errors.ts'
import { compileLaunch } from '../../runtime/compile-launch.ts'

export interface CompileAheadOptions {
  readonly bundle: string
  /** Where containers' states are kept, and programs. */
  readonly root: string
}

/**
 * Compiles a bundle that was just made, and keeps the programs of `run` and `create`: the first container is as fast as the next.
 * An error that `run` will meet as well is left for it to say.
 */
export async function compileAhead({ bundle, root }: CompileAheadOptions): Promise<void> {
  const id = 'ahead' // a register of the program
  try {
    for (const mode of ['foreground', 'create'] as const) {
      const compiled = await compileLaunch({ id, bundle, root }, mode)
      compiled.keep()
    }
  } catch (error) {
    if (!(error instanceof OciError)) throw error
  }
}
