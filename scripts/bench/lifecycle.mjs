// The commands that an engine calls, one by one, from a shell.
import { spawnSync } from 'node:child_process'
import { configs, makeBundle, runtimes, setting } from './containers.mjs'
import { inTurns } from './measure.mjs'
import { output, timedShell } from './processes.mjs'

const repetitions = 10

export async function lifecycle({ scratch, rounds }) {
  const briefs = []
  for (const kind of configs) briefs.push([kind, await makeBundle(scratch, 'brief-bundle', ['/bin/true'], kind)])
  const lasting = await makeBundle(scratch, 'lasting-bundle', ['/bin/sleep', '1000'])
  const all = runtimes(scratch)
  const results = []
  for (const [kind, brief] of briefs) results.push(await wholeLife({ all, kind, brief, rounds }))
  return [...results, ...(await singleCommands({ all, brief: briefs[0][1], lasting, rounds }))]
}

async function wholeLife({ all, kind, brief, rounds }) {
  const script = `i=0; while [ $i -lt ${repetitions} ]; do i=$((i + 1)); "$@" create -b "$bundle" bench; "$@" start bench
    "$@" delete -f bench; done`
  const contenders = all.map(({ name, command }) => ({
    name: `${name} create, start, delete`,
    run: () => timedShell(script, command, { env: { ...process.env, bundle: brief } }) / repetitions,
  }))
  const [mine, ...peers] = contenders.map(({ name }) => name)
  return {
    title: `create + start + delete of /bin/true (${setting(kind)})`,
    rows: await inTurns(contenders, rounds),
    budgets: peers.map((against) => ({ of: mine, against, ...(against.startsWith('crun') ? { ratio: 0.7 } : {}) })),
  }
}

async function singleCommands({ all, brief, lasting, rounds }) {
  const measures = [
    { command: 'create', args: ['create', '-b', brief, '{}'], after: deleteAll },
    { command: 'start', args: ['start', '{}'], before: (one) => createAll(one, brief), after: deleteAll },
    { command: 'state', args: ['state', 'bench0'], before: (one) => runOne(one, lasting), after: deleteOne },
    { command: 'kill', args: ['kill', 'bench0', 'CONT'], before: (one) => runOne(one, lasting), after: deleteOne },
    { command: 'exec', args: ['exec', 'bench0', '/bin/true'], before: (one) => runOne(one, lasting), after: deleteOne },
    { command: 'delete', args: ['delete', '{}'], before: (one) => stoppedAll(one, brief) },
  ]
  const results = []
  for (const { command, args, before, after } of measures) {
    const able = all.filter((one) => has(one, command))
    const contenders = able.map((one) => ({
      name: `${one.name} ${command}`,
      run: () => {
        before?.(one)
        return repeat(one, args) / repetitions
      },
      after: () => after?.(one),
    }))
    const of = `bundle-tool ${command}`
    results.push({
      title: `${command}${able.length < all.length ? ' (bundle-tool has no such command yet)' : ''} (${setting()})`,
      rows: await inTurns(contenders, rounds),
      budgets: [
        { of, against: `runc ${command}`, ...(command === 'create' ? {} : { ratio: 1 }) },
        { of, against: `crun ${command}`, ...(['create', 'exec'].includes(command) ? {} : { ratio: 1.2 }) },
      ],
    })
  }
  return results
}

const has = ({ command: [program, ...flags] }, name) =>
  spawnSync(program, [...flags, name, '--help'], { stdio: 'ignore' }).status === 0

/** Runs a command ten times; `{}` in its words is bench0, bench1 ... */
const repeat = ({ command }, args) =>
  timedShell(
    `i=0; while [ $i -lt ${repetitions} ]; do ${command.concat(args).map(quoted).join(' ')}; i=$((i + 1)); done`,
  )
const quoted = (word) => (word === '{}' ? '"bench$i"' : `'${word}'`)

const createAll = (one, bundle) => repeat(one, ['create', '-b', bundle, '{}'])
const deleteAll = (one) => repeat(one, ['delete', '-f', '{}'])
const deleteOne = ({ command }) => timedShell('"$@"', [...command, 'delete', '-f', 'bench0'])
const runOne = ({ command }, bundle) => timedShell('"$@"', [...command, 'run', '-d', '-b', bundle, 'bench0'])

function stoppedAll(one, bundle) {
  createAll(one, bundle)
  repeat(one, ['start', '{}'])
  const [program, ...flags] = one.command
  const isStopped = (index) => JSON.parse(output(program, ...flags, 'state', `bench${index}`)).status === 'stopped'
  for (let index = 0; index < repetitions; index++) while (!isStopped(index));
}
