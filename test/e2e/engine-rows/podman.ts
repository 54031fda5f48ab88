import { mkdirSync, writeFileSync } from 'node:fs'
import { dockerRows } from './docker.ts'
import { name, type Row, type RowEngine, until } from './rows.ts'

/** Rows of Docker's that are in podman's words, too. */
const shared = [
  'run --rm IMAGE true',
  'run: streams, exit code',
  'run: a command that is not there, one that cannot be executed',
  'top, stats',
  '--security-opt no-new-privileges, --sysctl',
  '--security-opt seccomp: the default, a file, unconfined',
  '--device',
  '--read-only, --tmpfs, -v',
  '--network, --pid and --ipc of another container',
  '--pid host, --ipc host, --uts host',
]

function start({ call, run }: RowEngine, script: string, ...flags: readonly string[]): void {
  const { status, stderr } = call(...run, '-d', '--name', name, ...flags, 'busybox', 'sh', '-c', script)
  if (status !== 0) throw new Error(stderr)
}

/** Without what podman prints of it: the ID of a container, in most cases. */
const done = ({ call }: RowEngine, ...args: readonly string[]): readonly unknown[] => {
  const { status, stderr } = call(...args)
  return [status, stderr]
}
const inspect = ({ call }: RowEngine, field: string): string =>
  call('inspect', '--format', `{{.State.${field}}}`, name).stdout.trim()
const waiting = 'trap "echo ended; exit 5" TERM; echo started; while :; do sleep 0.1; done'
const shell = (engine: RowEngine, flags: readonly string[], script: string) =>
  engine.call(...engine.run, '--rm', ...flags, 'busybox', 'sh', '-c', script)

const life: readonly Row[] = [
  {
    what: 'run -it, exec -it',
    see(engine) {
      // Podman 4.3 on a busy host may show nothing of a container that ends at once.
      const script = ['sh', '-c', 'tty; sleep 0.3; exit 3']
      const ran = engine.onTerminal(...engine.run, '--rm', '-it', 'busybox', ...script)
      start(engine, 'sleep 1000')
      return [ran, engine.onTerminal('exec', '-it', name, ...script)]
    },
  },
  {
    what: 'run -d, exec -u -w -e, logs, stop, start',
    see(engine) {
      start(engine, waiting)
      const { call } = engine
      return [
        call('exec', '-u', '1:2', '-w', '/tmp', '-e', 'X=y', name, 'sh', '-c', 'id; pwd; echo $X; exit 4'),
        call('exec', name, 'nope').status,
        done(engine, 'stop', name),
        [inspect(engine, 'Status'), inspect(engine, 'ExitCode'), call('logs', name).stdout],
        done(engine, 'start', name),
      ]
    },
  },
  {
    what: 'pause, unpause, kill, rm -f',
    async see(engine) {
      start(engine, waiting)
      const frozen = ['pause', 'unpause'].map((verb) => [done(engine, verb, name), inspect(engine, 'Status')])
      const killed = done(engine, 'kill', name)
      await until(() => inspect(engine, 'Status') === 'exited')
      return [frozen, killed, inspect(engine, 'ExitCode'), done(engine, 'rm', '-f', name)]
    },
  },
  {
    what: 'healthcheck run',
    see(engine) {
      start(engine, 'sleep 1000', '--health-cmd', 'test -e /ok', '--health-interval', 'disable')
      const before = engine.call('healthcheck', 'run', name).status
      engine.call('exec', name, 'touch', '/ok')
      return [before, engine.call('healthcheck', 'run', name).status]
    },
  },
]

/** Calls that rootless podman gets, too. */
export const rootlessRows: readonly Row[] = [
  ...dockerRows.filter(({ what }) => ['run: streams, exit code', '--read-only, --tmpfs, -v'].includes(what)),
  ...life,
  {
    what: '--group-add keep-groups: a file that only a group of the caller may read',
    see: (engine) =>
      shell(engine, ['--group-add', 'keep-groups', '-v', `${engine.place.at('mine')}:/mine`], 'cat /mine/file'),
    alone: { status: 0, stdout: 'of a group\n', stderr: '' },
  },
]

const who = 'id; pwd; echo $A; grep -E "^(Cap|Groups)" /proc/self/status'

export const podmanRows: readonly Row[] = [
  ...dockerRows.filter(({ what }) => shared.includes(what)),
  ...life,
  {
    what: '--user, --group-add, -w, -e',
    see: (engine) => shell(engine, ['-u', '12:34', '--group-add', '56', '-w', '/tmp', '-e', 'A=b'], who),
  },
  {
    what: '--cap-add, --cap-drop',
    see: (engine) => shell(engine, ['--cap-drop', 'ALL', '--cap-add', 'NET_ADMIN'], who),
  },
  {
    what: 'update',
    see(engine) {
      start(engine, 'sleep 1000', '--memory', '64m')
      const read = [
        'exec',
        name,
        'sh',
        '-c',
        'cat /sys/fs/cgroup/m*/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>&-; true',
      ]
      const before = engine.call(...read)
      return [before, done(engine, 'update', '--memory', '80m', name), engine.call(...read)]
    },
  },
  {
    what: '--uidmap, --gidmap',
    see: (engine) =>
      shell(engine, ['--uidmap', '0:100000:1000', '--gidmap', '0:100000:1000'], 'id -u; cat /proc/self/uid_map'),
  },
  {
    what: '-v /sys:/sys',
    see: (engine) => shell(engine, ['-v', '/sys:/sys'], 'ls /sys/kernel | head -3; ls /sys/fs/cgroup | head -3'),
  },
  {
    what: '--systemd=always',
    see: (engine) =>
      shell(
        engine,
        ['--systemd=always'],
        'echo $container; for path in /run /tmp /run/lock; do stat -f -c %T $path; done',
      ),
  },
  {
    what: 'pods',
    see(engine) {
      const { call } = engine
      const made = done(engine, 'pod', 'create', '--network', 'none', 'pod')
      const run = ['run', '--pod', 'pod', 'busybox', 'sh', '-c']
      try {
        const ran = call(...run.toSpliced(1, 0, '--rm'), 'grep ^Seccomp: /proc/self/status; hostname')
        return [made, ran]
      } finally {
        call('pod', 'rm', '-f', '-t', '0', 'pod')
      }
    },
  },
  {
    what: 'play kube',
    see(engine) {
      const { call, place } = engine
      const file = place.at('pod.yaml')
      const command = '[sh, -c, "echo from a pod; sleep 1000"]'
      writeFileSync(
        file,
        `apiVersion: v1\nkind: Pod\nmetadata: { name: played }\nspec:\n  hostNetwork: true\n  containers: [{ name: one, image: localhost/busybox, command: ${command} }]\n`,
      )
      const played = call('play', 'kube', file)
      try {
        if (played.status !== 0) throw new Error(played.stderr)
        return call('exec', 'played-one', 'echo', 'in')
      } finally {
        call('pod', 'rm', '-f', '-t', '0', 'played')
      }
    },
  },
  {
    what: 'build with RUN',
    see({ call, place }) {
      mkdirSync(place.at('context'), { recursive: true })
      writeFileSync(place.at('context/Containerfile'), 'FROM localhost/busybox\nRUN echo built > /file && id -u\n')
      const { status } = call(
        'build',
        '-q',
        '--no-cache',
        '--network',
        'none',
        '-t',
        'localhost/built',
        place.at('context'),
      )
      return [status, call('run', '--rm', '--network', 'none', 'localhost/built', 'cat', '/file')]
    },
  },
]
