import type { SeccompArg, SeccompOperator } from '../../oci/runtime-config.ts'
import type { SeccompArchitecture } from './architectures.ts'
import { allBits, type FilterNode, type NodeFactory, type Ways, type Word, wordOf } from './nodes.ts'

/** One comparison of an argument, with the width of the architecture. */
export interface Condition {
  readonly index: number
  readonly operator: SeccompOperator
  readonly value: bigint
  /** The bits that are compared: all of them, except with SCMP_CMP_MASKED_EQ. */
  readonly mask: bigint
}

/**
 * Converts the arguments of a rule to conditions, in the order of the arguments, without those that always hold.
 *
 * For architectures of 32 bits only the lower halves of arguments and values count, as in libseccomp.
 */
export function toConditions(args: readonly SeccompArg[], { bits }: SeccompArchitecture): readonly Condition[] {
  const all = bits === 64 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn
  const conditions: Condition[] = []
  for (const { index, op, value, valueTwo } of args) {
    const isMasked = op === 'SCMP_CMP_MASKED_EQ'
    const mask = isMasked ? BigInt(value) & all : all
    if (mask !== 0n)
      conditions.push({ index, operator: op, value: BigInt(isMasked ? (valueTwo ?? 0) : value) & mask, mask })
  }
  return conditions.length > 1 ? conditions.toSorted((a, b) => a.index - b.index) : conditions
}

/** Builds nodes that lead to `yes` if all conditions hold, else to `no`. */
export function compileConditions(
  conditions: readonly Condition[],
  architecture: SeccompArchitecture,
  { yes, no, nodes }: Ways & { readonly nodes: NodeFactory },
): FilterNode {
  return conditions.reduceRight((then, condition) => {
    return compileCondition(condition, argumentWords(condition, architecture), { yes: then, no, nodes })
  }, yes)
}

interface ArgumentWords {
  readonly low: Word
  /** Undefined if the upper half is not compared. */
  readonly high: Word | undefined
}

/** The words of an argument. `seccomp_data.args[]` begins at 16; on a big-endian machine the upper half comes first. */
function argumentWords({ index, mask }: Condition, { bits, isBigEndian }: SeccompArchitecture): ArgumentWords {
  const offset = 16 + 8 * index
  const highMask = highHalf(mask)
  return {
    low: wordOf(isBigEndian ? offset + 4 : offset, lowHalf(mask)),
    high: bits === 32 || highMask === 0 ? undefined : wordOf(isBigEndian ? offset : offset + 4, highMask),
  }
}

export function highHalf(value: bigint): number {
  return Number(value >> 32n)
}

export function lowHalf(value: bigint): number {
  return Number(value & BigInt(allBits))
}

function compileCondition(
  { operator, value }: Condition,
  words: ArgumentWords,
  { yes, no, nodes }: Ways & { readonly nodes: NodeFactory },
): FilterNode {
  const equal = (ways: Ways): FilterNode => {
    const low = words.low.mask === 0 ? ways.yes : nodes.tests(words.low, 'eq', lowHalf(value), ways)
    return words.high ? highIs(words.high, { yes: low, no: ways.no }) : low
  }
  // Consecutive rules mostly have the same upper half, which is then tested once for all of them.
  const highIs = (word: Word, ways: Ways): FilterNode => {
    const high = highHalf(value)
    return nodes.tests(word, 'eq', high, {
      yes: nodes.given(ways.yes, { word, value: high, holds: true }),
      no: nodes.given(ways.no, { word, value: high, holds: false }),
    })
  }
  const above = (is: 'gt' | 'ge', ways: Ways): FilterNode => {
    const low = nodes.tests(words.low, is, lowHalf(value), ways)
    if (!words.high) return low
    const notAbove = highIs(words.high, { yes: low, no: ways.no })
    return nodes.tests(words.high, 'gt', highHalf(value), { yes: ways.yes, no: notAbove })
  }
  switch (operator) {
    case 'SCMP_CMP_EQ':
    case 'SCMP_CMP_MASKED_EQ':
      return equal({ yes, no })
    case 'SCMP_CMP_NE':
      return equal({ yes: no, no: yes })
    case 'SCMP_CMP_GT':
      return above('gt', { yes, no })
    case 'SCMP_CMP_GE':
      return above('ge', { yes, no })
    case 'SCMP_CMP_LT':
      return above('ge', { yes: no, no: yes })
    case 'SCMP_CMP_LE':
      return above('gt', { yes: no, no: yes })
  }
}
