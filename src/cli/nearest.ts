/** Finds what somebody has most likely meant by a word that is none of `candidates`; undefined if none is like it. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const allowed = Math.min(3, Math.max(1, Math.floor(word.length / 3)))
  const ranked = candidates
    .filter((candidate) => candidate.length > 1 && word.length > 1)
    .map((candidate) => ({ candidate, slips: countSlips(word, candidate) }))
    .sort((a, b) => a.slips - b.slips)
  const [best] = ranked
  if (best !== undefined && best.slips <= allowed) return best.candidate
  const longer = candidates.filter((candidate) => word.length > 1 && candidate.startsWith(word))
  return longer.length === 1 ? longer[0] : undefined
}

/** The edit distance: letters that are missing, too many, wrong, or in the place of their neighbour. */
function countSlips(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)]
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    const at = (up: number, column: number): number => (up === 0 ? current : rows[row - up])?.[column] ?? Infinity
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1]
      const isSwapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      current[column] = Math.min(
        at(1, column) + 1,
        at(0, column - 1) + 1,
        at(1, column - 1) + (isSame ? 0 : 1),
        isSwapped ? at(2, column - 2) + 1 : Infinity,
      )
    }
    rows.push(current)
  }
  return rows[from.length]?.[to.length] ?? Infinity
}
