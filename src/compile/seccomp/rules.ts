import { OciError } from '../../errors.ts'
import type { Seccomp, SeccompSyscall } from '../../oci/runtime-config.ts'
import { verdictOf } from './actions.ts'
import { maxInstructions, tooLong } from './assemble.ts'
import { addSyscalls, type NumberedSyscall, type SyscallNumbers } from './calls.ts'
import { type Condition, toConditions } from './conditions.ts'
import { orderRules } from './order.ts'

/** A rule for one number of one architecture. */
export interface NumberRule {
  readonly conditions: readonly Condition[]
  readonly verdict: number
  /** The JSON pointer of the profile's entry. */
  readonly from: string
}

/**
 * The rules of a profile for one architecture, by number, in the order in which they are tried; the default action
 * follows.
 *
 * They apply as in runc with libseccomp. A rule with the default action is dropped, and so is a name without a number on the
 * architecture. A rule without conditions replaces all others of its number, even those before it; the first of two such
 * rules holds. Rules with conditions are tried in the order of `orderRules`.
 * @throws OciError `ERR_CONFIG_INVALID` two rules have different actions for the same call with the same arguments
 */
export function rulesByNumber(seccomp: Seccomp, numbers: SyscallNumbers): ReadonlyMap<number, readonly NumberRule[]> {
  const defaultVerdict = verdictOf(seccomp.defaultAction, seccomp.defaultErrnoRet)
  const settled = new Map<number, readonly NumberRule[]>()
  const open = new Map<number, RuleSet>()
  for (const [index, entry] of (seccomp.syscalls ?? []).entries()) {
    const verdict = verdictOf(entry.action, entry.errnoRet)
    if (verdict === defaultVerdict) continue
    const from = `/linux/seccomp/syscalls/${index}`
    // Most calls have no conditions: all of an entry share one array.
    const plain: readonly NumberRule[] = [{ conditions: [], verdict, from }]
    for (const { number, args } of syscallsOf(entry, numbers)) {
      if (settled.has(number)) continue
      const conditions = args.length === 0 ? [] : toConditions(args, numbers.architecture)
      if (conditions.length === 0) settled.set(number, plain)
      else open.set(number, addRule({ conditions, verdict, from }, open.get(number)))
    }
  }
  for (const [number, rules] of open) if (!settled.has(number)) settled.set(number, inOrder(rules, numbers))
  return settled
}

function inOrder({ byConditions }: RuleSet, { architecture }: SyscallNumbers): readonly NumberRule[] {
  // Each rule needs at least one instruction, and sorting many more would take too long.
  if (byConditions.size > maxInstructions) throw tooLong()
  return orderRules([...byConditions.values()], architecture)
}

function syscallsOf({ names, args = [] }: SeccompSyscall, numbers: SyscallNumbers): readonly NumberedSyscall[] {
  // As in runc: if two conditions are on the same argument, all conditions of the rule are alternatives.
  const isRepeated = new Set(args.map(({ index }) => index)).size < args.length
  const alternatives = isRepeated ? args.map((arg) => [arg]) : [args]
  const calls: NumberedSyscall[] = []
  for (const name of names) for (const some of alternatives) addSyscalls(calls, name, some, numbers)
  return calls
}

/** The rules with conditions for one number. */
interface RuleSet {
  readonly byConditions: Map<string, NumberRule>
  /** By the key of some conditions: rules that begin with them and have more, one for each verdict. */
  readonly longer: Map<string, readonly NumberRule[]>
}

function addRule(rule: NumberRule, rules: RuleSet | undefined): RuleSet {
  const set: RuleSet = rules ?? { byConditions: new Map(), longer: new Map() }
  const [key = '', ...prefixes] = conditionKeys(rule.conditions)
  const other = [...(set.longer.get(key) ?? []), set.byConditions.get(key)].find(
    (some) => some && some.verdict !== rule.verdict,
  )
  if (other) throw conflict(rule, other)
  set.byConditions.set(key, rule)
  for (const prefix of prefixes) {
    const longer = set.longer.get(prefix) ?? []
    if (!longer.some(({ verdict }) => verdict === rule.verdict)) set.longer.set(prefix, [...longer, rule])
  }
  return set
}

/** Keys for all of the conditions, for all but the last, and so on down to the first. */
function conditionKeys(conditions: readonly Condition[]): readonly string[] {
  const keys: string[] = []
  for (const { index, operator, value, mask } of conditions) {
    keys.unshift(`${keys[0] ?? ''} ${index} ${operator} ${value} ${mask}`)
  }
  return keys
}

function conflict(rule: NumberRule, other: NumberRule): OciError {
  return new OciError(
    'ERR_CONFIG_INVALID',
    `the rule and ${other.from} have different actions for the same arguments of a system call`,
    { pointer: rule.from, hint: 'remove one of the two rules' },
  )
}
