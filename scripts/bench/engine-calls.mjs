// The calls of an engine to a runtime, in containerd's words, each for a new container with a config.json of its own.
//
//   node scripts/bench/engine-calls.mjs ROUNDS    prints JSON: the host, the versions of the runtimes but ours, and for each
//                                                 call, by runtime, the medians of `wall` and `cpu`, in milliseconds
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeBundle, runtimes } from './containers.mjs'
import { isUnified } from './machine.mjs'
import { median } from './measure.mjs'

const commands = ['create', 'start', 'state', 'exec', 'kill', 'delete']

const scratch = mkdtempSync(join(tmpdir(), 'engine-calls-'))
try {
  const found = runtimes(scratch)
  const calls = await engineCalls(found, Number(process.argv[2]))
  const versions = Object.fromEntries(found.slice(1).map(({ name, command }) => [name, versionOf(command[0])]))
  console.log(JSON.stringify({ host: isUnified() ? 'cgroup v2' : 'cgroup v1 or hybrid', versions, calls }))
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

function versionOf(path) {
  return /version (\S+)/.exec(spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout)?.[1] ?? ''
}

/** Measures the calls with each runtime, in turns. @throws Error when one of the calls fails */
async function engineCalls(found, rounds) {
  const bundle = await makeBundle(scratch, 'bundle', ['/bin/sleep', '1000'])
  const config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'))
  // A root without CAP_SYS_RESOURCE cannot raise limits, and not every runtime takes that.
  delete config.process.rlimits
  const file = join(scratch, 'process.json')
  writeFileSync(file, JSON.stringify({ ...config.process, terminal: false, args: ['/bin/true'] }))
  const times = Object.fromEntries(commands.map((name) => [name, {}]))
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < found.length; turn++) {
      const { name, command } = found[(round + turn) % found.length]
      const id = `engine-calls-${name}-${round}`
      config.annotations = { 'org.example.container': `${name} ${round}` }
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(config))
      const pid = (of) => join(scratch, `${of}.pid`)
      const words = {
        create: ['create', '--bundle', bundle, '--pid-file', pid('init'), id],
        start: ['start', id],
        state: ['state', id],
        exec: ['exec', '--process', file, '--detach', '--pid-file', pid('exec'), id],
        kill: ['kill', id, 'KILL'],
        delete: ['delete', '--force', id],
      }
      try {
        for (const call of commands) {
          const time = timed([...command, ...words[call]])
          if (round > 0) times[call][name] = [...(times[call][name] ?? []), time]
        }
      } finally {
        spawnSync(command[0], [...command.slice(1), ...words.delete], { stdio: 'ignore' })
      }
    }
  }
  return commands.map((command) => ({ command, of: mapValues(times[command], medians) }))
}

function mapValues(object, of) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, of(value)]))
}

function medians(values) {
  return { wall: median(values.map(({ wall }) => wall)), cpu: median(values.map(({ cpu }) => cpu)) }
}

/** Milliseconds of a command and of the processes that it has waited for. */
function timed(command) {
  const script = `TIMEFORMAT='%3U %3S'; begin=$EPOCHREALTIME
    time "$@" >/dev/null 2>&4 3>&- 4>&-; status=$?; echo $begin $EPOCHREALTIME >&2; exit $status`
  const log = openSync(join(scratch, 'log'), 'w+')
  const stdio = ['ignore', 'ignore', 'pipe', 'ignore', log]
  const { status, stderr } = spawnSync('bash', ['-c', script, 'bash', ...command], { encoding: 'utf8', stdio })
  closeSync(log)
  if (status !== 0) throw new Error(`${command.join(' ')}: ${readFileSync(join(scratch, 'log'), 'utf8')}`)
  const [user, system, begin, end] = stderr.trim().split(/\s+/).map(Number)
  return { wall: (end - begin) * 1000, cpu: (user + system) * 1000 }
}
