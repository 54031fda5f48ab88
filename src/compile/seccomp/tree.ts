import { type FilterNode, type NodeFactory, numberWord } from './nodes.ts'

/** Consecutive system call numbers with the same decision, up to the beginning of the next range. */
export interface NumberRange {
  readonly from: number
  readonly node: FilterNode
}

/** Merges adjacent ranges with the same decision. */
export function mergeRanges(ranges: readonly NumberRange[]): readonly NumberRange[] {
  return ranges.filter(({ node }, index) => node !== ranges[index - 1]?.node)
}

/** Builds a binary search for the range of a number: about log2 of the count of ranges tests. */
export function compileTree(ranges: readonly NumberRange[], nodes: NodeFactory): FilterNode {
  return compilePart(ranges, { start: 0, end: ranges.length }, nodes)
}

function compilePart(
  ranges: readonly NumberRange[],
  { start, end }: { readonly start: number; readonly end: number },
  nodes: NodeFactory,
): FilterNode {
  const first = ranges[start]
  if (!first) throw new Error('a number has no verdict')
  if (end - start === 1) return first.node
  const second = ranges[start + 1]
  const third = ranges[start + 2]
  // A single number within a range needs one test instead of two.
  if (end - start === 3 && second && third?.from === second.from + 1 && third.node === first.node) {
    return nodes.tests(numberWord, 'eq', second.from, { yes: second.node, no: first.node })
  }
  const half = start + ((end - start) >> 1)
  return nodes.tests(numberWord, 'ge', ranges[half]?.from ?? 0, {
    yes: compilePart(ranges, { start: half, end }, nodes),
    no: compilePart(ranges, { start, end: half }, nodes),
  })
}
