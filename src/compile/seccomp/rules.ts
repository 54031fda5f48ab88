import { OciError } from '../../errors.ts'
import type { Seccomp, SeccompArg, SeccompSyscall } from '../../oci/runtime-config.ts'
import { verdictOf } from './actions.ts'
import { maxInstructions, tooLong } from './assemble.ts'
import { isMultiplexed, multiplexedSyscall, type NumberedSyscall, noNumber, type SyscallNumbers } from './calls.ts'
import { type Condition, toConditions } from './conditions.ts'
import { NumberTable } from './number-table.ts'
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
export function rulesByNumber(seccomp: Seccomp, numbers: SyscallNumbers): NumberTable<readonly NumberRule[]> {
  const defaultVerdict = verdictOf(seccomp.defaultAction, seccomp.defaultErrnoRet)
  const { numberBit } = numbers.architecture
  const settled = new NumberTable<readonly NumberRule[]>(numberBit)
  const open = new NumberTable<RuleSet>(numberBit)
  const addRules = (number: number, args: readonly SeccompArg[], [rule]: readonly [NumberRule]): void => {
    const conditions = toConditions(args, numbers.architecture)
    if (conditions.length === 0) settled.addAll([number], [rule])
    else if (settled.get(number) === undefined) open.set(number, addRule({ ...rule, conditions }, open.get(number)))
  }
  for (const [index, entry] of (seccomp.syscalls ?? []).entries()) {
    const verdict = verdictOf(entry.action, entry.errnoRet)
    if (verdict === defaultVerdict) continue
    // Most calls have no conditions: all of an entry share one array.
    const plain = [{ conditions: [], verdict, from: `/linux/seccomp/syscalls/${index}` }] as const
    for (const { number, args } of multiplexedCalls(entry, numbers)) addRules(number, args, plain)
    const alternatives = alternativesOf(entry)
    const ofEntry = numbers.byEntry[index] ?? []
    if (alternatives === undefined) settled.addAll(ofEntry, plain)
    else
      for (const number of ofEntry)
        if (number !== noNumber) for (const args of alternatives) addRules(number, args, plain)
  }
  for (const [number, rules] of open.entries())
    if (settled.get(number) === undefined) settled.set(number, inOrder(rules, numbers))
  return settled
}

function inOrder({ byConditions }: RuleSet, { architecture }: SyscallNumbers): readonly NumberRule[] {
  // Each rule needs at least one instruction, and sorting many more would take too long.
  if (byConditions.size > maxInstructions) throw tooLong()
  return orderRules([...byConditions.values()], architecture)
}

/** The conditions of an entry, each list of which makes a rule; undefined for an entry without conditions. */
function alternativesOf({ args = [] }: SeccompSyscall): readonly (readonly SeccompArg[])[] | undefined {
  if (args.length === 0) return undefined
  // As in runc: if two conditions are on the same argument, all conditions of the rule are alternatives.
  const isRepeated = new Set(args.map(({ index }) => index)).size < args.length
  return isRepeated ? args.map((arg) => [arg]) : [args]
}

/** The calls of multiplexers that the names of an entry mean. */
function multiplexedCalls(
  entry: SeccompSyscall,
  { architecture: { multiplexers } }: SyscallNumbers,
): readonly NumberedSyscall[] {
  if (multiplexers === undefined) return []
  return entry.names
    .filter(isMultiplexed)
    .flatMap((name) =>
      (alternativesOf(entry) ?? [[]]).flatMap((args) => multiplexedSyscall(name, args, multiplexers) ?? []),
    )
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
