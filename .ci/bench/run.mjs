// `run` of /bin/true, from a shell, again and again.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeBundle, runtimes, setting } from './containers.mjs'
import { compiled, runner } from './machine.mjs'
import { inTurns } from './measure.mjs'
import { timedShell } from './processes.mjs'

const repetitions = 10
const again = `i=0; while [ $i -lt ${repetitions} ]; do i=$((i + 1))`

export async function run({ scratch, rounds }) {
  const bundle = await makeBundle(scratch, 'run-bundle', ['/bin/true'])
  const contenders = runtimes(scratch).map(({ name, command }) => ({
    name: `${name} run`,
    run: () => timedShell(`${again}; "$@"; done`, [...command, 'run', '-b', bundle, 'bench']) / repetitions,
  }))
  const alone = await runnerAlone(scratch, bundle)
  const node = {
    name: 'node -e 0 (Node.js alone)',
    run: () => timedShell(`${again}; "$@"; done`, [process.execPath, '-e', '0']) / repetitions,
  }
  const rows = await inTurns([...contenders, alone, node], rounds * 2)
  return [
    {
      title: `run /bin/true (${setting()})`,
      rows,
      budgets: [
        { of: 'bundle-tool run', against: 'runc run', ratio: 1.3 },
        { of: 'bundle-tool run', against: 'crun run' },
        { of: alone.name, against: 'runc run', ratio: 0.15 },
        { of: alone.name, against: 'crun run', ratio: 0.6 },
      ],
      notes: ['the runner alone executes a program compiled before: what a kept program costs, without its guards'],
    },
  ]
}

/** The runner, called as `run` calls it, with a program compiled before. */
async function runnerAlone(scratch, bundle) {
  const { compileContainer } = await compiled('runtime/compile-container.js')
  const { encode } = await compiled('program/encode.js')
  const { makeRoot } = await compiled('runtime/root.js')
  const root = join(scratch, 'root-runner')
  await makeRoot(root, 0)
  const [program, report] = [join(scratch, 'program'), join(scratch, 'report')]
  const compiledContainer = await compileContainer({ id: 'bench', bundle, root }, 'foreground')
  writeFileSync(program, encode(compiledContainer.program))
  return {
    name: 'the runner alone',
    run: () =>
      timedShell(`cd "$1"; ${again}; "$2" 3 4 bench 3<"$3" 4>"$4"; done`, [bundle, runner, program, report]) /
      repetitions,
    after: () => {
      const bytes = readFileSync(report)
      const [exited, kind, status] = [4, bytes.readUInt32LE(0), bytes.readInt32LE(20)]
      if (kind !== exited || status !== 0) throw new Error(`the runner reports kind ${kind}, status ${status}`)
    },
  }
}
