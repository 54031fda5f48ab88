import type { Seccomp, SeccompAction } from '../oci/runtime-config.ts'
import { enosysVerdict, killThreadVerdict, verdictOf } from './seccomp-actions.ts'
import { x32Bit } from './seccomp-architectures.ts'
import { type CallNumbers, largestNumber } from './seccomp-calls.ts'
import { compileConditions } from './seccomp-conditions.ts'
import type { FilterNode, NodeFactory } from './seccomp-nodes.ts'
import { rulesByNumber } from './seccomp-rules.ts'
import type { NumberRange } from './seccomp-tree.ts'

/**
 * What becomes of each system call number under one `AUDIT_ARCH`.
 *
 * @param abis one, or x86_64 and x32, whose numbers the kernel shows under the same `AUDIT_ARCH`
 */
export function rangesOf(seccomp: Seccomp, abis: readonly CallNumbers[], nodes: NodeFactory): readonly NumberRange[] {
  const ruled = new Map(abis.flatMap((abi) => [...nodesByNumber(seccomp, abi, nodes)]))
  const limits = abis.flatMap((abi) => unknownNumbers(seccomp, abi) ?? [])
  const otherwise = nodes.returns(verdictOf(seccomp.defaultAction, seccomp.defaultErrnoRet))
  const nodeFor = (number: number): FilterNode => {
    if (limits.some(({ has }) => has(number))) return nodes.returns(enosysVerdict)
    if (!abis.some((abi) => hasNumber(abi, number))) return nodes.returns(killThreadVerdict)
    return ruled.get(number) ?? otherwise
  }
  const starts = new Set([0, ...abiStarts, ...limits.map(({ from }) => from)])
  for (const number of ruled.keys()) starts.add(number).add(number + 1)
  return [...starts].sort((a, b) => a - b).map((from) => ({ from, node: nodeFor(from) }))
}

/** Where bit 30 changes, and the number that a tracer sets to skip a call. */
const skippedCall = 0xffffffff
const abiStarts = [1, x32Bit, 2 * x32Bit, 3 * x32Bit, skippedCall]

/** The decision for each number that the profile has rules for. */
function nodesByNumber(seccomp: Seccomp, abi: CallNumbers, nodes: NodeFactory): ReadonlyMap<number, FilterNode> {
  const otherwise = nodes.returns(verdictOf(seccomp.defaultAction, seccomp.defaultErrnoRet))
  const decide = rulesByNumber(seccomp, abi)
  return new Map(
    [...decide].map(([number, rules]) => [
      number,
      rules.reduceRight<FilterNode>((no, { conditions, verdict }) => {
        return compileConditions(conditions, abi.architecture, { yes: nodes.returns(verdict), no, nodes })
      }, otherwise),
    ]),
  )
}

/** Whether a number is one of an ABI's; what a tracer skips is everybody's. */
function hasNumber({ architecture: { sharesNumbers, numberBit } }: CallNumbers, number: number): boolean {
  if (!sharesNumbers) return true
  return numberBit === undefined ? number < x32Bit || number === skippedCall : number >= x32Bit
}

interface UnknownNumbers {
  readonly from: number
  readonly has: (number: number) => boolean
}

/**
 * The numbers that a profile's author cannot have known: those above the largest that the profile names. They get
 * ENOSYS, so that a libc falls back to older calls, unless the default action lets them through anyway. As runc has it.
 */
function unknownNumbers({ defaultAction, syscalls = [] }: Seccomp, abi: CallNumbers): UnknownNumbers | undefined {
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
