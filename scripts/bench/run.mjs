// `run` of /bin/true, from a shell, again and again: by a program that was kept, and compiled each time.
import { configs, makeBundle, runtimes, setting } from './containers.mjs'
import { inTurns } from './measure.mjs'
import { timedShell } from './processes.mjs'

const repetitions = 10
const again = `i=0; while [ $i -lt ${repetitions} ]; do i=$((i + 1)); "$@"; done`
const perCall = (words) => timedShell(again, words) / repetitions

const warm = 'bundle-tool run, program kept'
const cold = 'bundle-tool run --no-cache'

export async function run({ scratch, rounds }) {
  const results = []
  for (const kind of configs) results.push(await runOf(kind, scratch, rounds))
  return results
}

async function runOf(kind, scratch, rounds) {
  const bundle = await makeBundle(scratch, 'run-bundle', ['/bin/true'], kind)
  const of = ({ name, command }, flags = []) => ({
    name,
    run: () => perCall([...command, 'run', ...flags, '-b', bundle, 'bench']),
  })
  const [ours, ...peers] = runtimes(scratch)
  const node = { name: 'node -e 0 (Node.js alone)', run: () => perCall([process.execPath, '-e', '0']) }
  const contenders = [
    of({ ...ours, name: warm }),
    of({ ...ours, name: cold }, ['--no-cache']),
    ...peers.map((peer) => of({ ...peer, name: `${peer.name} run` })),
    node,
  ]
  return {
    title: `run /bin/true (${setting(kind)})`,
    rows: await inTurns(contenders, rounds * 5),
    budgets: [
      { of: warm, against: 'runc run', ratio: 0.15 },
      { of: warm, against: 'crun run', ratio: 0.6 },
      { of: cold, against: 'runc run', ratio: kind === 'docker' ? 0.3 : 0.4 },
      { of: cold, against: 'crun run', ratio: kind === 'docker' ? 1.2 : 1.3 },
    ],
  }
}
