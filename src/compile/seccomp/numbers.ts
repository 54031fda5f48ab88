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
  const ruled = new Map<number, FilterNode>()
  for (const abi of abis) decideNumbers(ruled, { seccomp, abi, nodes, otherwise })
  const limits = abis.flatMap((abi) => unknownNumbers(seccomp, abi) ?? [])
  const nodeFor = (number: number): FilterNode => {
    if (limits.some(({ has }) => has(number))) return nodes.returns(enosysVerdict)
    if (!abis.some((abi) => hasNumber(abi, number))) return nodes.returns(killThreadVerdict)
    return ruled.get(number) ?? otherwise
  }
  const starts = new Set([0, ...abiStarts, ...limits.map(({ from }) => from)])
  for (const number of ruled.keys()) starts.add(number).add(number + 1)
  return [...Uint32Array.from(starts).sort()].map((from) => ({ from, node: nodeFor(from) }))
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

/** Adds the decision for each number that the profile has rules for. */
function decideNumbers(ruled: Map<number, FilterNode>, { seccomp, abi, nodes, otherwise }: Deciding): void {
  const decided = new Map<readonly NumberRule[], FilterNode>() // most numbers share theirs
  for (const [number, rules] of rulesByNumber(seccomp, abi)) {
    const node =
      decided.get(rules) ??
      rules.reduceRight<FilterNode>((no, { conditions, verdict }) => {
        return compileConditions(conditions, abi.architecture, { yes: nodes.returns(verdict), no, nodes })
      }, otherwise)
    decided.set(rules, node)
    ruled.set(number, node)
  }
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
function unknownNumbers({ defaultAction, syscalls = [] }: Seccomp, abi: SyscallNumbers): UnknownNumbers | undefined {
  if (permissive.has(defaultAction)) return undefined
  const largest = largestNumber(new Set(syscalls.flatMap(({ names }) => names)), abi)
  if (largest === undefined) return undefined
  const { sharesNumbers, numberBit = 0, unknownCall } = abi.architecture
  return {
    from: largest + 1,
    has: (number) =>
      number === unknownCall || (number > largest && (!sharesNumbers || (number & x32Bit) === numberBit)),
  }
}

const permissive: ReadonlySet<SeccompAction> = new Set(['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE'])
