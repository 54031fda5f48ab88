import type { FilterRule } from '../../../src/compile/cgroup/device-filter.ts'
import { randomFrom } from '../../conformance/seccomp-profiles.ts'

/** Makes up to twelve rules with few types, accesses and numbers, so that they often match the same device. */
export function randomRules(seed: number): readonly FilterRule[] {
  const random = randomFrom(seed)
  const pick = <T>(from: readonly [T, ...T[]]): T => from[random(from.length)] ?? from[0]
  return Array.from({ length: random(13) }, () => ({
    allow: random(3) > 0,
    type: pick(['a', 'b', 'c', 'c'] as const),
    major: pick([undefined, 0, 1, 1, 5, 136, 4095]),
    minor: pick([undefined, undefined, 0, 5, 8, 2 ** 20 - 1]),
    access: pick(['rwm', 'rwm', 'm', 'r', 'rw', 'wm']),
  }))
}
