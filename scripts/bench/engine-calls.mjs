// The calls of an engine to a runtime, in containerd's words, each for a new container with a config.json of its own.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeBundle } from './containers.mjs'
import { median } from './measure.mjs'

const commands = ['create', 'start', 'state', 'exec', 'kill', 'delete']

/**
 * Measures the calls with each runtime, in turns.
 *
 * @param runtimes `{ name, path }`; one that cannot create a container here is left out
 * @returns for each command, by runtime, the medians of `wall` and `cpu`, in milliseconds
 */
export async function engineCalls({ scratch, runtimes, rounds }) {
  const bundle = await makeBundle(scratch, 'engine-calls', ['/bin/sleep', '1000'])
  const config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'))
  const file = join(scratch, 'process.json')
  writeFileSync(file, JSON.stringify({ ...config.process, terminal: false, args: ['/bin/true'] }))
  const found = new Map()
  const able = new Set(runtimes)
  for (let round = 0; round <= rounds; round++) {
    for (const runtime of able) {
      const id = `engine-calls-${round}`
      config.annotations = { 'org.example.container': `${runtime.name} ${round}` }
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(config))
      const globals = ['--root', join(scratch, `root-${runtime.name}`)]
      const pid = (name) => join(scratch, `${name}.pid`)
      const words = {
        create: ['create', '--bundle', bundle, '--pid-file', pid('init'), id],
        start: ['start', id],
        state: ['state', id],
        exec: ['exec', '--process', file, '--detach', '--pid-file', pid('exec'), id],
        kill: ['kill', id, 'KILL'],
        delete: ['delete', '--force', id],
      }
      for (const command of commands) {
        const time = timed([runtime.path, ...globals, ...words[command]])
        if (time === undefined) {
          if (command !== 'create') timed([runtime.path, ...globals, ...words.delete])
          able.delete(runtime)
          found.delete(runtime.name)
          break
        }
        if (round === 0) continue
        const values = found.get(runtime.name) ?? Object.fromEntries(commands.map((name) => [name, []]))
        values[command].push(time)
        found.set(runtime.name, values)
      }
    }
  }
  return commands.map((command) => ({
    command,
    of: Object.fromEntries(
      [...found].map(([name, values]) => [
        name,
        { wall: median(values[command].map(({ wall }) => wall)), cpu: median(values[command].map(({ cpu }) => cpu)) },
      ]),
    ),
  }))
}

/** Milliseconds of a command and of the processes that it has waited for; undefined when it fails. */
function timed(command) {
  const script = 'TIMEFORMAT="%3R %3U %3S"; time "$@" >/dev/null 2>/dev/null 3>&-'
  const { status, stderr } = spawnSync('bash', ['-c', script, 'bash', ...command], { encoding: 'utf8' })
  const [real, user, system] = stderr
    .trim()
    .split(' ')
    .map((text) => Number(text) * 1000)
  return status === 0 ? { wall: real, cpu: user + system } : undefined
}
