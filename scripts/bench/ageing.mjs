// A state root that has seen many containers, one after the other: the last take no longer than the first.
import { makeBundle, runtimes, setting } from './containers.mjs'
import { leftovers } from './leftovers.mjs'
import { timedShell } from './processes.mjs'

const total = 10_000
const part = 1_000

export async function ageing({ scratch }) {
  const bundle = await makeBundle(scratch, 'ageing-bundle', ['/bin/true'])
  const [{ name, command }] = runtimes(scratch)
  const [, , root] = command
  const script = 'i=$from; while [ $i -lt $to ]; do "$@" run -b "$bundle" "aged$i" || exit; i=$((i + 1)); done'
  const run = (from, to) => timedShell(script, command, { env: { ...process.env, bundle, from, to } })
  run(0, 10) // the first one compiles
  const thousands = Array.from({ length: total / part }, (_, index) => {
    const from = index * part
    return { from, milliseconds: (run(from, from + part) * 1000) / part }
  })
  const left = leftovers('aged', bundle, root)
  if (left.length > 0) throw new Error(`${name} leaves behind: ${left.slice(0, 10).join(', ')}`)
  const rowOf = ({ from }) => `${name} run, ${from + 1} to ${from + part}`
  return [
    {
      title: `run, one after the other in one root, per container (${setting()})`,
      rows: thousands.map((each) => ({ name: rowOf(each), unit: 'ms', values: [each.milliseconds] })),
      budgets: [{ of: rowOf(thousands.at(-1)), against: rowOf(thousands[0]), ratio: 1.1 }],
    },
  ]
}
