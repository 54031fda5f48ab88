import type { Cases } from './config.ts'
import { config } from './config.ts'
import { hookCases } from './hooks.ts'
import { linuxCases } from './linux.ts'
import { mountCases } from './mounts.ts'
import { processCases } from './process.ts'
import { seccompCases } from './seccomp.ts'

export type { Case } from './config.ts'
export { refused } from './refused.ts'

/** Configs that run the same under both, by name. */
export const cases: Cases = {
  'the default config': { config: config() },
  'a config of an older version, with what nobody knows': {
    config: config({ ociVersion: '1.0.0', unknown: { deep: [1] }, linux: { unknown: true } }),
  },
  ...processCases,
  ...mountCases,
  ...linuxCases,
  ...seccompCases,
  ...hookCases,
}
