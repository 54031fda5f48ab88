import { OciError } from '../../errors.ts'
import type { Seccomp, SeccompSyscall } from '../../oci/runtime-config.ts'
import { verdictOf } from './actions.ts'
import { maxInstructions, tooLong } from './assemble.ts'
import { addCalls, type CallNumbers, type NumberedCall } from './calls.ts'
import { type Condition, toConditions } from './conditions.ts'
import { orderRules } from './order.ts'

/** A rule on one number of one architecture. */
export interface NumberRule {
  readonly conditions: readonly Condition[]
  readonly verdict: number
  /** JSON pointer of the entry of the profile. */
  readonly from: string
}

/**
 * The rules of a profile for one architecture, by number, in the order in which they are tried; the default action
 * follows.
 *
 * They apply as under runc with libseccomp. A rule that does what the default action does is dropped, and so is a name
 * that the architecture has no number for. A rule without conditions ends all others of its number, those before it
 * too; of two, the first stands. Rules with conditions are tried in the order of `orderRules`.
 * @throws OciError `ERR_CONFIG_INVALID` two rules want different things of the same call with the same arguments
 */
export function rulesByNumber(seccomp: Seccomp, numbers: CallNumbers): ReadonlyMap<number, readonly NumberRule[]> {
  const defaultVerdict = verdictOf(seccomp.defaultAction, seccomp.defaultErrnoRet)
  const settled = new Map<number, readonly NumberRule[]>()
  const open = new Map<number, RuleSet>()
  for (const [index, entry] of (seccomp.syscalls ?? []).entries()) {
    const verdict = verdictOf(entry.action, entry.errnoRet)
    if (verdict === defaultVerdict) continue
    const from = `/linux/seccomp/syscalls/${index}`
    // Most calls have no conditions: one array will do for all of an entry.
    const plain: readonly NumberRule[] = [{ conditions: [], verdict, from }]
    for (const { number, args } of callsOf(entry, numbers)) {
      if (settled.has(number)) continue
      const conditions = args.length === 0 ? [] : toConditions(args, numbers.architecture)
      if (conditions.length === 0) settled.set(number, plain)
      else open.set(number, addRule({ conditions, verdict, from }, open.get(number)))
    }
  }
  for (const [number, rules] of open) if (!settled.has(number)) settled.set(number, inOrder(rules, numbers))
  return settled
}

function inOrder({ byConditions }: RuleSet, { architecture }: CallNumbers): readonly NumberRule[] {
  // Each rule takes an instruction at least; the order of many more takes too long to work out.
  if (byConditions.size > maxInstructions) throw tooLong()
  return orderRules([...byConditions.values()], architecture)
}

function callsOf({ names, args = [] }: SeccompSyscall, numbers: CallNumbers): readonly NumberedCall[] {
  // runc: two conditions on one argument are alternatives, and then so are all conditions of the rule.
  const isRepeated = new Set(args.map(({ index }) => index)).size < args.length
  const alternatives = isRepeated ? args.map((arg) => [arg]) : [args]
  const calls: NumberedCall[] = []
  for (const name of names) for (const some of alternatives) addCalls(calls, name, some, numbers)
  return calls
}

/** The rules with conditions of one number. */
interface RuleSet {
  readonly byConditions: Map<string, NumberRule>
  /** The rules with more conditions than these, one for each verdict. */
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

/** A key for all of the conditions, then for one less, and so on. */
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
    `the rule has another action than ${other.from} for the same arguments of a system call`,
    { pointer: rule.from, hint: 'remove one of the two rules' },
  )
}
