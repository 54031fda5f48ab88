import type { Seccomp, SeccompAction } from '../../oci/runtime-config.ts'
import { enosysVerdict, killThreadVerdict, verdictOf } from './actions.ts'
import { x32Bit } from './architectures.ts'
import { largestNumber, type SyscallNumbers } from './calls.ts'
import { compileConditions } from './conditions.ts'
import type { FilterNode, NodeFactory } from './nodes.ts'
import { type NumberRule, rulesByNumber } from './rules.ts'
import type { NumberRange } from './tree.ts'

/**
 * The decision for each system call number under one `AUDIT_ARCH`.
 *
 * @param abis one, or x86_64 and x32, whose numbers the kernel shows under the same `AUDIT_ARCH`
 */
export function rangesOf(
  seccomp: Seccomp,
  abis: readonly SyscallNumbers[],
  nodes: NodeFactory,
): readonly NumberRange[] {
  const otherwise = nodes.returns(verdictOf(seccomp.defaultAction, seccomp.defaultErrnoRet))
  const limits = abis.flatMap((abi) => unknownNumbers(seccomp, abi) ?? [])
  const decisions = abis.map((abi) => ({ abi, ...decide({ seccomp, abi, nodes, otherwise }) }))
  const starts = [0, ...abiStarts, ...limits.map(({ from }) => from), ...decisions.flatMap(({ changes }) => changes)]
  const [enosys, killThread] = [nodes.returns(enosysVerdict), nodes.returns(killThreadVerdict)]
  const nodeFor = (number: number): FilterNode => {
    for (const { has } of limits) if (has(number)) return enosys
    for (const { abi, decision } of decisions) if (hasNumber(abi, number)) return decision(number)
    return killThread
  }
  const ranges: NumberRange[] = []
  for (const from of Uint32Array.from(starts).sort())
    if (ranges.at(-1)?.from !== from) ranges.push({ from, node: nodeFor(from) })
  return ranges
}

/** The number that a tracer sets to skip a call. */
const skippedCall = 0xffffffff
/** Numbers at which the ABI changes: those where bit 30 changes, and that of a skipped call. */
const abiStarts = [1, x32Bit, 2 * x32Bit, 3 * x32Bit, skippedCall]

interface Deciding {
  readonly seccomp: Seccomp
  readonly abi: SyscallNumbers
  readonly nodes: NodeFactory
  /** The decision for a call for which no rule holds. */
  readonly otherwise: FilterNode
}

interface Decisions {
  readonly decision: (number: number) => FilterNode
  /** The numbers at which the decision may be another one than that for the number before. */
  readonly changes: readonly number[]
}

/** The decisions for the numbers of an ABI. */
function decide({ seccomp, abi, nodes, otherwise }: Deciding): Decisions {
  const nodeOf = (rules: readonly NumberRule[]): FilterNode =>
    rules.reduceRight<FilterNode>((no, { conditions, verdict }) => {
      return compileConditions(conditions, abi.architecture, { yes: nodes.returns(verdict), no, nodes })
    }, otherwise)
  const all = rulesByNumber(seccomp, abi)
  const decided = new Map<readonly NumberRule[], FilterNode>() // most numbers share theirs
  const decision = (number: number): FilterNode => {
    const rules = all.get(number)
    if (rules === undefined) return otherwise
    const node = decided.get(rules) ?? nodeOf(rules)
    decided.set(rules, node)
    return node
  }
  return { decision, changes: all.changes() }
}

/** True when a number belongs to an ABI; that of a skipped call belongs to all but x32. */
function hasNumber({ architecture: { sharesNumbers, numberBit } }: SyscallNumbers, number: number): boolean {
  if (!sharesNumbers) return true
  return numberBit === undefined ? number < x32Bit || number === skippedCall : number >= x32Bit
}

interface UnknownNumbers {
  readonly from: number
  readonly has: (number: number) => boolean
}

/**
 * The numbers that are newer than the profile: those above the largest that it names. As in runc, they get ENOSYS, so that a
 * libc falls back to older calls, unless the default action lets them through anyway.
 */
function unknownNumbers(seccomp: Seccomp, abi: SyscallNumbers): UnknownNumbers | undefined {
  if (permissive.has(seccomp.defaultAction)) return undefined
  const largest = largestNumber(seccomp, abi)
  if (largest === undefined) return undefined
  const { sharesNumbers, numberBit = 0, unknownCall } = abi.architecture
  return {
    from: largest + 1,
    has: (number) =>
      number === unknownCall || (number > largest && (!sharesNumbers || (number & x32Bit) === numberBit)),
  }
}

const permissive: ReadonlySet<SeccompAction> = new Set(['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE'])
