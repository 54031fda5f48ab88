import { array, type Infer, object, optional, refine, type Schema } from '../schema.ts'
import { absolute, cStrings, env, i32 } from './values.ts'

const hook = () =>
  object({
    path: absolute,
    /** Arguments, beginning with argv[0]. */
    args: cStrings,
    env,
    /** In seconds. */
    timeout: optional(refine(i32, (seconds) => seconds > 0, 'must be greater than 0 seconds')),
  })
export interface Hook extends Infer<typeof hook> {}

const members = () => {
  const list = optional(array<Hook>(hook()))
  return object({
    prestart: list,
    createRuntime: list,
    createContainer: list,
    startContainer: list,
    poststart: list,
    poststop: list,
  })
}
export interface Hooks extends Infer<typeof members> {}
export const hooks: () => Schema<Hooks> = members
