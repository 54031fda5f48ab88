// Many containers at once: what each costs must not grow with their number.
import { readFileSync } from 'node:fs'
import { makeBundle, runtimes, setting } from './containers.mjs'
import { leftovers } from './leftovers.mjs'
import { output, timedShell } from './processes.mjs'

const counts = [10, 100, 1000]

export async function many({ scratch, rounds }) {
  const bundle = await makeBundle(scratch, 'many-bundle', ['/bin/sleep', '100000'])
  const [ours, ...peers] = runtimes(scratch)
  const values = new Map()
  const add = (name, seconds, count) => {
    values.set(name, [...(values.get(name) ?? []), (seconds * 1000) / count])
  }
  life({ ...ours, bundle, count: 10, add: () => {} }) // the first one compiles
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    for (const count of counts) {
      // Once is enough to see how the others do.
      for (const one of round === 0 ? [ours, ...peers] : [ours]) life({ ...one, bundle, count, add })
    }
  }
  const names = [ours, ...peers].map(({ name }) => name)
  return commands.map((command) => ({
    title: `${command}, with so many containers at once, per container (${setting()})`,
    rows: names
      .flatMap((name) => counts.map((count) => rowName(name, command, count)))
      .flatMap((name) => (values.has(name) ? [{ name, unit: 'ms', values: values.get(name) }] : [])),
    budgets: [{ of: rowName(ours.name, command, 1000), against: rowName(ours.name, command, 100), ratio: 1.25 }],
  }))
}

const commands = ['run -d', 'list', 'stats', 'kill CONT', 'kill KILL until all have ended', 'delete -f']
const rowName = (name, command, count) => `${name} ${command}, ${count}`

/** Starts, counts, kills and deletes `count` containers, and makes sure that nothing is left. */
function life({ name, command, bundle, count, add }) {
  const [, , root] = command
  const measured = (what, seconds) => add(rowName(name, what, count), seconds, count)
  const each = (words) =>
    timedShell(`i=0; while [ $i -lt ${count} ]; do "$@" ${words}; i=$((i + 1)); done`, command, {
      env: { ...process.env, bundle },
    })
  measured('run -d', each('run -d -b "$bundle" "many$i"'))
  const list = expectRunning(count, [...command, 'list', '-f', 'json'])
  measured('list', list.seconds)
  if (name === 'bundle-tool') {
    const stats = [...command, 'stats', '--no-stream', '--json', '--interval', '1ms']
    measured('stats', expectRunning(count, stats).seconds)
  }
  measured('kill CONT', each('kill "many$i" CONT'))
  // The kernel takes longer to end a container than the command to ask for it: of many, those before are in the way.
  const seconds = each('kill "many$i" KILL')
  measured('kill KILL until all have ended', seconds + secondsUntil(() => list.containers.every(hasEnded)))
  measured('delete -f', each('delete -f "many$i"'))
  const left = leftovers('many', bundle, root)
  if (left.length > 0) throw new Error(`${name} leaves behind: ${left.slice(0, 10).join(', ')}`)
}

/** A command that prints `count` running containers as JSON: these, and the seconds it takes. */
function expectRunning(count, [program, ...args]) {
  const begin = process.hrtime.bigint()
  const containers = JSON.parse(output(program, ...args))
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9
  const running = containers.filter(({ status }) => status === 'running').length
  if (running !== count) throw new Error(`${running} of ${count} containers run`)
  return { seconds, containers }
}

const napping = new Int32Array(new SharedArrayBuffer(4))

function secondsUntil(condition) {
  const begin = process.hrtime.bigint()
  while (!condition()) Atomics.wait(napping, 0, 0, 1)
  return Number(process.hrtime.bigint() - begin) / 1e9
}

function hasEnded({ pid }) {
  try {
    return /\) [XZ] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return true
    throw error
  }
}
