import { type FilterNode, type NodeFactory, numberWord } from './nodes.ts'

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
  return compilePart(ranges, { start: 0, end: ranges.length }, nodes)
}

function compilePart(
  ranges: readonly NumberRange[],
  { start, end }: { readonly start: number; readonly end: number },
  nodes: NodeFactory,
): FilterNode {
  const first = ranges[start]
  if (!first) throw new Error('there is no number without a verdict')
  if (end - start === 1) return first.node
  const second = ranges[start + 1]
  const third = ranges[start + 2]
  // A single number within a range takes one test instead of two.
  if (end - start === 3 && second && third?.from === second.from + 1 && third.node === first.node) {
    return nodes.tests(numberWord, 'eq', second.from, { yes: second.node, no: first.node })
  }
  const half = start + ((end - start) >> 1)
  return nodes.tests(numberWord, 'ge', ranges[half]?.from ?? 0, {
    yes: compilePart(ranges, { start: half, end }, nodes),
    no: compilePart(ranges, { start, end: half }, nodes),
  })
}
