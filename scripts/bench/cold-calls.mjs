// Calls for which nothing is kept, as an engine makes them: their CPU time, with that of the processes that they wait for.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { configs, makeBundle, runtimes, setting } from './containers.mjs'
import { inTurns } from './measure.mjs'
import { timedShell } from './processes.mjs'

const repetitions = 10

export async function coldCalls({ scratch, rounds }) {
  const all = runtimes(scratch)
  const results = []
  for (const kind of configs) results.push(await newConfigs({ all, kind, scratch, rounds }))
  const bundle = await makeBundle(scratch, 'cold-bundle', ['/bin/sleep', '1000'])
  results.push(await onNew({ all, bundle, rounds, name: 'exec', words: ['exec', '--', '{}', '/bin/true'] }))
  results.push(await onNew({ all, bundle, rounds, name: 'update', words: ['update', '--pids-limit', '100', '{}'] }))
  return results.filter(({ rows }) => rows.length > 1)
}

/** `create`, each with a config.json that was not there before, and with the same seccomp profile. */
async function newConfigs({ all, kind, scratch, rounds }) {
  const made = await makeBundle(scratch, 'engine-bundle', ['/bin/true'], kind)
  const config = JSON.parse(readFileSync(join(made, 'config.json'), 'utf8'))
  const bundles = Array.from({ length: repetitions }, (_, index) => join(scratch, `engine-${kind}-${index}`))
  for (const bundle of bundles) mkdirSync(bundle, { recursive: true })
  let count = 0
  const renew = () => {
    for (const bundle of bundles) {
      const annotations = { 'org.example.container': `container ${count++}` }
      const text = JSON.stringify({ ...config, annotations, root: { path: join(made, 'rootfs') } })
      writeFileSync(join(bundle, 'config.json'), text)
    }
  }
  const place = join(scratch, `engine-${kind}`)
  const contenders = all.map((one) => ({
    name: `${one.name} create`,
    run: () => {
      renew()
      return cpuTime(one, ['create', '--bundle', `${place}-{n}`, '{}']) / repetitions
    },
    after: () => each(one, ['delete', '-f', '{}']),
  }))
  return {
    title: `create with a new config.json, CPU time (${setting(kind)})`,
    rows: await inTurns(contenders, rounds),
    budgets: peers(all, 'create', 'crun'),
  }
}

/** A command on a container for which it has not been called before. */
async function onNew({ all, bundle, rounds, name, words }) {
  const create = (one) => each(one, ['run', '-d', '--bundle', bundle, '{}'])
  const end = (one) => each(one, ['delete', '-f', '{}'])
  const able = all.filter((one) => {
    create(one)
    const { status } = spawnSync('/bin/sh', ['-e', '-c', loop(one, words)], { stdio: 'ignore' })
    end(one)
    return status === 0
  })
  const contenders = able.map((one) => ({
    name: `${one.name} ${name}`,
    run: () => {
      create(one)
      return cpuTime(one, words) / repetitions
    },
    after: () => end(one),
  }))
  return {
    title: `the first ${name} of a container, CPU time (${setting()})`,
    rows: await inTurns(contenders, rounds),
    budgets: peers(able, name, 'runc'),
  }
}

/** Comparisons with all peers; the budget is what `judge` takes. */
const peers = ([ours, ...others], command, judge) =>
  others.map(({ name }) => ({
    of: `${ours?.name} ${command}`,
    against: `${name} ${command}`,
    ...(name === judge ? { ratio: 1 } : {}),
  }))

/** A shell's loop: `{n}` in the words is 0, 1 ..., and `{}` the name of a container with it. */
function loop({ command }, words) {
  const quoted = [...command, ...words].map((word) => `"${word.replace('{n}', '$i').replace('{}', 'cold$i')}"`)
  return `i=0; while [ $i -lt ${repetitions} ]; do ${quoted.join(' ')}; i=$((i + 1)); done`
}

const each = (one, words) => timedShell(loop(one, words))

/** Seconds of CPU time of all calls. */
function cpuTime(one, words) {
  // A container that was created holds what it has inherited.
  const script = `TIMEFORMAT="%3U %3S"; time { { ${loop(one, words)}; } >/dev/null 2>/dev/null; }`
  const { status, stderr } = spawnSync('bash', ['-e', '-c', script], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${one.name} ${words.join(' ')} ended with ${status}`)
  const [user, system] = stderr.trim().split('\n').at(-1).split(' ').map(Number)
  return user + system
}
