import type { SeccompOperator } from '../../oci/runtime-config.ts'
import type { SeccompArchitecture } from './architectures.ts'
import { type Condition, highHalf, lowHalf } from './conditions.ts'

/**
 * Sorts the rules of one system call into the order in which libseccomp tries them, which is not the profile's.
 *
 * libseccomp keeps the rules in a tree of 32-bit comparisons, upper halves first, in which rules with a common beginning
 * share a branch. On each level the later argument comes first; then equality, upper bound, lower bound; then the larger
 * value, but for upper bounds the smaller one. Otherwise the order of the profile is kept. A rule whose conditions are the
 * beginning of another rule's comes before that rule.
 */
export function orderRules<T extends { readonly conditions: readonly Condition[] }>(
  rules: readonly T[],
  { bits }: SeccompArchitecture,
): readonly T[] {
  const root: Branch<T> = { level: [], rules: [] }
  for (const rule of rules) {
    let branch = root
    for (const comparison of rule.conditions.flatMap((condition) => comparisonsOf(condition, bits))) {
      branch = branchFor(comparison, branch.level)
    }
    branch.rules.push(rule)
  }
  return rulesOf(root)
}

interface Branch<T> {
  readonly level: (Branch<T> & { readonly comparison: Comparison })[]
  readonly rules: T[]
}

function branchFor<T>(comparison: Comparison, level: Branch<T>['level']): Branch<T> {
  const place = level.findIndex(
    (other) => isSame(other.comparison, comparison) || isBefore(comparison, other.comparison),
  )
  const found = level[place]
  if (found && isSame(found.comparison, comparison)) return found
  const added = { comparison, level: [], rules: [] }
  level.splice(place === -1 ? level.length : place, 0, added)
  return added
}

function rulesOf<T>({ level, rules }: Branch<T>): readonly T[] {
  return [...rules, ...level.flatMap(rulesOf)]
}

/** One comparison in the tree. */
interface Comparison {
  /** The rank of the compared half among the halves of all arguments: twice the index, and 1 more for the upper half. */
  readonly place: number
  readonly is: 'eq' | 'masked' | 'gt' | 'ge'
  readonly group: number
  readonly value: number
  readonly mask: number
}

/** The test of each operator; an upper bound is a lower bound that must not hold. */
const tests = {
  SCMP_CMP_EQ: { is: 'eq', group: 3 },
  SCMP_CMP_NE: { is: 'eq', group: 3 },
  SCMP_CMP_MASKED_EQ: { is: 'masked', group: 3 },
  SCMP_CMP_LE: { is: 'gt', group: 2 },
  SCMP_CMP_LT: { is: 'ge', group: 2 },
  SCMP_CMP_GT: { is: 'gt', group: 1 },
  SCMP_CMP_GE: { is: 'ge', group: 1 },
} as const satisfies Readonly<Record<SeccompOperator, Pick<Comparison, 'is' | 'group'>>>

const upperBounds = 2

function comparisonsOf({ index, operator, value, mask }: Condition, bits: 32 | 64): readonly Comparison[] {
  const { is, group } = tests[operator]
  const low = { place: index * 2, is, group, value: lowHalf(value), mask: lowHalf(mask) }
  if (bits === 32) return [low]
  const high = { place: index * 2 + 1, group, value: highHalf(value), mask: highHalf(mask) }
  if (is === 'eq' || is === 'masked') return [{ ...high, is }, low]
  return [{ ...high, is: 'gt' }, { ...high, is: 'eq' }, low]
}

function isSame(a: Comparison, b: Comparison): boolean {
  return a.place === b.place && a.is === b.is && a.value === b.value && a.mask === b.mask
}

function isBefore(a: Comparison, b: Comparison): boolean {
  if (a.place !== b.place) return a.place > b.place
  if (a.group !== b.group) return a.group > b.group
  return a.group === upperBounds ? a.value < b.value : a.value > b.value
}
