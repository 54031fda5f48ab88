import { existsSync, readFileSync, rmSync } from 'node:fs'
import { hasLimits } from './docker-limits.ts'
import { name, often, type Row, type RowEngine, RowError, until } from './rows.ts'

const run = (what: string, flags: readonly string[], script: string): Row => ({
  what,
  see: ({ call, run: words }) => call(...words, '--rm', ...flags, 'busybox', name, 'sh', '-c', script),
})

function start({ call, run: words }: RowEngine, script: string, ...flags: readonly string[]): void {
  const io = flags.includes('--log-uri') ? [] : ['--null-io']
  const { status, stderr } = call(...words, '--detach', ...io, ...flags, 'busybox', name, 'sh', '-c', script)
  if (status !== 0) throw new RowError(stderr)
}

const taskStatus = ({ call }: RowEngine): string | undefined =>
  /^demo +\d+ +(\S+)/m.exec(call('tasks', 'ls').stdout)?.[1]
let execs = 0
/** The words of an exec: containerd keeps its ID as long as the container. */
const exec = (...flags: readonly string[]): readonly string[] => [
  'tasks',
  'exec',
  '--exec-id',
  `more-${++execs}`,
  ...flags,
]

/** The exit code of the task of a row, once it has ended. */
async function exitCode(engine: RowEngine): Promise<unknown> {
  await until(() => taskStatus(engine) === 'STOPPED')
  const { status, stderr } = engine.call('tasks', 'delete', name)
  return [status, stderr.replace(/time="[^"]*" /, '')]
}

/** What the container of a row has written so far, when it was started with `logged`. */
const log = ({ place }: RowEngine): string =>
  existsSync(place.at('task.log')) ? readFileSync(place.at('task.log'), 'utf8') : ''

function logged({ place }: RowEngine): readonly string[] {
  rmSync(place.at('task.log'), { force: true })
  return ['--log-uri', `file://${place.at('task.log')}`]
}

async function ticks(engine: RowEngine): Promise<boolean> {
  const before = log(engine).length
  await new Promise((resolve) => setTimeout(resolve, 500))
  return log(engine).length > before
}

const lifeRows: readonly Row[] = [
  {
    what: 'run --rm IMAGE true',
    see: ({ call, run: words }) => call(...words, '--rm', 'busybox', name, 'true'),
    times: often,
  },
  // ctr may lose what a container writes that ends at once.
  run('run: streams, exit code', [], 'echo out; echo err >&2; sleep 0.2; exit 7'),
  {
    what: 'run: a command that is not there',
    see: ({ call, run: words }) => call(...words, '--rm', 'busybox', name, 'nope'),
  },
  {
    what: 'run --tty',
    see: ({ onTerminal, run: words }) =>
      onTerminal(...words, '--rm', '--tty', 'busybox', name, 'sh', '-c', 'tty; exit 3'),
  },
  {
    what: 'tasks exec: streams, --cwd, --user, --tty, --detach, also what is not there',
    async see(engine) {
      start(engine, 'sleep 1000; true')
      const { call, onTerminal } = engine
      const script = 'id -u; pwd; echo err >&2; exit 4'
      const detached = call(...exec('--detach', name, 'touch', '/made'))
      await until(() => call(...exec(name, 'ls', '/made')).status === 0)
      return [
        call(...exec('--cwd', '/tmp', '--user', '7', name, 'sh', '-c', script)),
        onTerminal(...exec('--tty', name, 'sh', '-c', 'tty; sleep 0.3; exit 3')),
        detached,
        call(...exec(name, 'nope')),
      ]
    },
  },
  {
    what: 'tasks kill by several signals, --exec-id, --all',
    async see(engine) {
      start(engine, 'trap "echo hup" HUP; trap "exit 5" TERM; while :; do sleep 0.1; done', ...logged(engine))
      const { call } = engine
      const hup = call('tasks', 'kill', '--signal', 'SIGHUP', name)
      await until(() => log(engine) === 'hup\n')
      const words = exec('--detach', name, 'sleep', '999')
      call(...words)
      const sleeps = (): boolean => call(...exec(name, 'sh', '-c', "ps | grep '[s]leep 999'")).status === 0
      await until(sleeps)
      const execKilled = call('tasks', 'kill', '--exec-id', words[3] ?? '', '--signal', 'SIGKILL', name)
      await until(() => !sleeps())
      return [hup, execKilled, call('tasks', 'kill', '--all', '--signal', 'SIGTERM', name), await exitCode(engine)]
    },
  },
  {
    what: 'tasks pause, resume: nothing runs in between',
    async see(engine) {
      start(engine, 'while :; do echo tick; sleep 0.1; done', ...logged(engine))
      await until(() => log(engine) !== '')
      const seen: unknown[] = [await ticks(engine)]
      for (const verb of ['pause', 'resume']) {
        seen.push(engine.call('tasks', verb, name), taskStatus(engine), await ticks(engine))
      }
      return seen
    },
  },
  {
    what: 'tasks kill and delete of what is paused',
    async see(engine) {
      start(engine, 'sleep 1000')
      engine.call('tasks', 'pause', name)
      const killed = engine.call('tasks', 'kill', '--signal', 'SIGKILL', name)
      const ended = engine.call('tasks', 'resume', name).status
      return [killed, ended, await exitCode(engine)]
    },
  },
  {
    what: 'tasks ps, metrics',
    async see(engine) {
      start(engine, 'sleep 1000; true', '--memory-limit', '67108864')
      const read = (): string => engine.call('tasks', 'metrics', name).stdout
      await until(() => /^pids.current +2 /m.test(read()))
      const metrics = read()
      return [
        /^PID +INFO\n\d+ /.test(engine.call('tasks', 'ps', name).stdout),
        [...metrics.matchAll(/^(\S+) /gm)].map(([, field]) => field),
        /^memory.(limit_in_bytes|usage_limit) +(\d+)/m.exec(metrics)?.[2],
      ]
    },
  },
  {
    what: 'tasks delete --force of what runs',
    see(engine) {
      start(engine, 'sleep 1000')
      return [engine.call('tasks', 'delete', '--force', name).status, taskStatus(engine)]
    },
  },
]

const checkpoint = 'bundle-tool.test/checkpoint:1'

const checkpointRow: Row = {
  what: 'containers checkpoint --task --rw, restore --live',
  async see(engine) {
    const { call } = engine
    start(engine, 'i=0; while :; do i=$((i + 1)); echo $i > /count; sleep 0.1; done')
    const count = (): number => Number(call(...exec(name, 'cat', '/count')).stdout)
    await until(() => count() > 2)
    const saved = call('containers', 'checkpoint', '--rw', '--task', name, checkpoint).status
    if (saved !== 0) return ['not saved', taskStatus(engine)]
    const before = count()
    call('tasks', 'delete', '--force', name)
    call('containers', 'delete', name)
    const restored = call('containers', 'restore', '--rw', '--live', name, checkpoint).status
    const goesOn = count()
    call('images', 'rm', checkpoint)
    return [saved, restored, goesOn >= before, taskStatus(engine)]
  },
}

const rows: readonly Row[] = [
  ...lifeRows,
  run(
    'run --privileged --cwd --env',
    ['--privileged', '--cwd', '/tmp', '--env', 'A=b'],
    'pwd; echo $A; grep Cap /proc/self/status',
  ),
  run(
    'run --user, --net-host, --mount',
    ['--user', '7:8', '--net-host', '--mount', 'type=bind,src=/etc,dst=/v,options=rbind:ro'],
    'id; readlink /proc/self/ns/net; touch /v/x; stat -c %F /v/hosts',
  ),
  run('run --seccomp', ['--seccomp'], 'grep ^Seccomp: /proc/self/status; unshare -U true; chown 1:1 /bin; echo $?'),
  {
    ...run(
      'run --memory-limit, --cpus, --read-only',
      ['--memory-limit', '67108864', '--cpus', '0.5', '--read-only'],
      'touch /x; cd /sys/fs/cgroup; cat m*/memory.limit_in_bytes memory.max c*/cpu.cfs_quota_us cpu.max 2>&-; true',
    ),
  },
  checkpointRow,
]

/** Rows of ctr, which limits every container's share of CPU time. */
export const containerdRows: readonly Row[] = rows.map((row) => ({ ...row, isPossible: hasLimits }))
