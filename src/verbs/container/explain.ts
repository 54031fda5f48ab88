import { type ExplainedStep, explainProgram, formatExplanation } from '../../program/explain.ts'
import { compileContainer, type NewContainerOptions } from '../../runtime/compile-container.ts'

export type ExplainOptions = Omit<NewContainerOptions, 'id'>

export interface Explanation {
  readonly steps: readonly ExplainedStep[]
  /** The listing, one step per line. */
  readonly text: string
}

/**
 * The program that `run` would execute for a bundle: every step, in order, and where in config.json it comes from.
 *
 * @throws OciError `ERR_BUNDLE_INVALID`, `ERR_CONFIG_INVALID`, `ERR_CONFIG_UNSUPPORTED`
 */
export async function explain(options: ExplainOptions): Promise<Explanation> {
  const { program } = await compileContainer({ ...options, id: 'explain' }, 'foreground')
  const steps = explainProgram(program)
  return { steps, text: formatExplanation(steps) }
}
