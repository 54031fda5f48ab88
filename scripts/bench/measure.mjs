// Measuring in turns, and the numbers that come of it.

/**
 * Lets every contender run once per round, each round beginning with another one, so that whatever else the machine
 * does meets them all alike. A first round is not counted.
 *
 * @param contenders `{ name, run, after }`: `run` gives the seconds it took, `after` clears away and is not timed
 * @returns rows of values in milliseconds, in the order of the contenders
 */
export async function inTurns(contenders, rounds) {
  const rows = contenders.map(({ name }) => ({ name, unit: 'ms', values: [] }))
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const index = (round + turn) % contenders.length
      const { run, after } = contenders[index]
      const seconds = await run()
      await after?.()
      if (round > 0) rows[index].values.push(seconds * 1000)
    }
  }
  return rows
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
