import { type FilterNode, type NodeFactory, numberWord } from './seccomp-nodes.ts'

/** System call numbers from one on, as far as the next range begins, that all go the same way. */
export interface NumberRange {
  readonly from: number
  readonly node: FilterNode
}

/** Makes one range of neighbours that go the same way, whatever rules led there. */
export function mergeRanges(ranges: readonly NumberRange[]): readonly NumberRange[] {
  return ranges.filter(({ node }, index) => node !== ranges[index - 1]?.node)
}

/** Asks for the number by halves: as many tests as the number of ranges has binary digits, and seldom one more. */
export function compileTree(ranges: readonly NumberRange[], nodes: NodeFactory): FilterNode {
  const [first, second, third, ...more] = ranges
  if (!first) throw new Error('there is no number without a verdict')
  if (!second) return first.node
  // A single number within a range takes one test instead of two.
  const isSingle = third?.from === second.from + 1 && third.node === first.node && more.length === 0
  if (isSingle) return nodes.tests(numberWord, 'eq', second.from, { yes: second.node, no: first.node })
  const half = ranges.length >> 1
  return nodes.tests(numberWord, 'ge', ranges[half]?.from ?? 0, {
    yes: compileTree(ranges.slice(half), nodes),
    no: compileTree(ranges.slice(0, half), nodes),
  })
}
