import { name, often, type Row, type RowEngine, until } from './rows.ts'

const run = (what: string, flags: readonly string[], script: string): Row => ({
  what,
  see: ({ call, run: words }) => call(...words, '--rm', ...flags, 'busybox', name, 'sh', '-c', script),
})

function start({ call, run: words }: RowEngine, script: string): void {
  const { status, stderr } = call(...words, '--detach', '--null-io', 'busybox', name, 'sh', '-c', script)
  if (status !== 0) throw new Error(stderr)
}

const taskStatus = ({ call }: RowEngine): string | undefined =>
  /^demo +\d+ +(\S+)/m.exec(call('tasks', 'ls').stdout)?.[1]
const exec = ['tasks', 'exec', '--exec-id', 'more', name]

export const containerdRows: readonly Row[] = [
  {
    what: 'run --rm IMAGE true',
    see: ({ call, run: words }) => call(...words, '--rm', 'busybox', name, 'true'),
    times: often,
  },
  run('run: streams, exit code', [], 'echo out; echo err >&2; exit 7'),
  {
    what: 'run: a command that is not there',
    see: ({ call, run: words }) => call(...words, '--rm', 'busybox', name, 'nope'),
  },
  {
    what: 'run --tty',
    see: ({ onTerminal, run: words }) =>
      onTerminal(...words, '--rm', '--tty', 'busybox', name, 'sh', '-c', 'tty; exit 3'),
  },
  run(
    'run --privileged --cwd --env',
    ['--privileged', '--cwd', '/tmp', '--env', 'A=b'],
    'pwd; echo $A; grep Cap /proc/self/status',
  ),
  run('run --seccomp', ['--seccomp'], 'grep ^Seccomp: /proc/self/status; unshare -U true; chown 1:1 /bin; echo $?'),
  run(
    'run --memory-limit, --read-only',
    ['--memory-limit', '67108864', '--read-only'],
    'touch /x; cat /sys/fs/cgroup/m*/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>&-; true',
  ),
  {
    what: 'tasks exec, also what is not there',
    see(engine) {
      start(engine, 'sleep 1000; true')
      return [engine.call(...exec, 'sh', '-c', 'echo in; exit 4'), engine.call(...exec, 'nope')]
    },
  },
  {
    what: 'tasks ps, metrics',
    see(engine) {
      start(engine, 'sleep 1000; true')
      const metrics = engine.call('tasks', 'metrics', name).stdout
      return [/^PID +INFO\n\d+ /.test(engine.call('tasks', 'ps', name).stdout), /^pids.current +2 /m.test(metrics)]
    },
  },
  {
    what: 'tasks pause, resume, kill, delete',
    async see(engine) {
      start(engine, 'trap "exit 5" TERM; while :; do sleep 0.1; done')
      const frozen = ['pause', 'resume'].map((verb) => [engine.call('tasks', verb, name), taskStatus(engine)])
      const killed = engine.call('tasks', 'kill', '--signal', 'SIGTERM', name)
      await until(() => taskStatus(engine) === 'STOPPED')
      const { status, stderr } = engine.call('tasks', 'delete', name)
      return [frozen, killed, status, stderr.replace(/time="[^"]*" /, '')]
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
