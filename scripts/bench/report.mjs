// Results as text.
import { median } from './measure.mjs'

const formats = {
  ms: (value) => (value < 1000 ? `${value.toFixed(value < 100 ? 1 : 0)} ms` : `${(value / 1000).toFixed(2)} s`),
  bytes: (value) => `${(value / 1e6).toFixed(1)} MB`,
}

/**
 * A table of one comparison: medians, the least and the largest value, and how ours compares with each peer.
 *
 * @param result `{ title, rows: [{ name, unit, values }], budgets: [{ of, against, ratio } | { of, atMost }] }`
 */
export function table({ title, rows, budgets = [], notes = [] }) {
  const cells = rows.map(({ name, unit, values }) => {
    const show = formats[unit]
    return [name, show(median(values)), `${show(Math.min(...values))} .. ${show(Math.max(...values))}`]
  })
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column].length)))
  const lines = cells.map((row) => `  ${row[0].padEnd(widths[0])}  ${row[1].padStart(widths[1])}  ${row[2]}`)
  return [title, ...lines, ...judge(rows, budgets).map(sentence), ...notes.map((note) => `  (${note})`), ''].join('\n')
}

/** Every budget whose two sides have been measured, with the value reached. */
export function judge(rows, budgets) {
  const medianOf = (name) => {
    const row = rows.find((candidate) => candidate.name === name)
    return row && median(row.values)
  }
  return budgets.flatMap((budget) => {
    const value = medianOf(budget.of)
    const other = budget.against === undefined ? undefined : medianOf(budget.against)
    if (value === undefined || (budget.against !== undefined && other === undefined)) return []
    const reached = other === undefined ? value : value / other
    const limit = budget.ratio ?? budget.atMost
    return [{ ...budget, reached, isMet: limit === undefined ? undefined : reached <= limit }]
  })
}

function sentence({ of, against, ratio, atMost, reached, isMet }) {
  const verdict = isMet ? 'met' : 'MISSED'
  if (against === undefined) return `  -> ${of}: ${formats.bytes(reached)}, budget ${formats.bytes(atMost)}: ${verdict}`
  const compared = `  -> ${of}: ${reached.toFixed(2)} x ${against}`
  return ratio === undefined ? compared : `${compared}, budget ${ratio} x: ${verdict}`
}
