import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isThere } from '../../requirements.ts'
import { done, inspect, run, shell, start, ticking, ticks, waiting } from './client.ts'
import { dockerRows } from './docker.ts'
import { hasLimits } from './docker-limits.ts'
import { podRows } from './podman-pods.ts'
import { name, type Row, until } from './rows.ts'

/** Rows of Docker's that are in podman's words, too. */
const shared = [
  'run --rm IMAGE true',
  'run: streams, exit code',
  'run: a command that is not there, one that cannot be executed',
  'top, stats',
  'cp both ways, export, diff, commit',
  '--oom-score-adj',
  '--security-opt no-new-privileges, --sysctl',
  '--security-opt seccomp: the default, a file, unconfined',
  '--memory, --cpus, --pids-limit, --cpuset-cpus: as read inside',
  '--memory: what needs more is killed',
  '--pids-limit: the fork after the last is refused',
  '--shm-size',
  '--read-only, --tmpfs, -v',
  '-v with every propagation: as the kernel has it',
  '-v with every propagation: a mount of the host is seen inside, one of the container outside',
  '--network, --pid and --ipc of another container',
  '--pid host, --ipc host, --uts host',
  '--network host',
  '--cgroupns host, private',
  '--userns host',
  'run --privileged',
  'exec --privileged',
]

/** Those that a rootless one has, too. */
const sharedRootless = [
  'run --rm IMAGE true',
  'run: streams, exit code',
  'run: a command that is not there, one that cannot be executed',
  'cp both ways, export, diff, commit',
  '--security-opt seccomp: the default, a file, unconfined',
  '--read-only, --tmpfs, -v',
  '--network, --pid and --ipc of another container',
  '--pid host, --ipc host, --uts host',
  '--network host',
]

const dockerRow = (names: readonly string[]): readonly Row[] =>
  names.map((what) => {
    const row = dockerRows.find((one) => one.what === what)
    if (row === undefined) throw new Error(`Docker has no row "${what}"`)
    return row
  })

const who = 'id; pwd; echo $A; grep -E "^(Cap|Groups)" /proc/self/status'

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
    what: 'run -d, exec -u -w -e, logs, stop, start, restart',
    see(engine) {
      start(engine, waiting)
      const { call } = engine
      return [
        call('exec', '-u', '1:2', '-w', '/tmp', '-e', 'X=y', name, 'sh', '-c', 'id; pwd; echo $X; exit 4'),
        call('exec', name, 'nope').status,
        done(engine, 'stop', name),
        [inspect(engine, 'Status'), inspect(engine, 'ExitCode'), call('logs', name).stdout],
        done(engine, 'start', name),
        done(engine, 'restart', '-t', '1', name),
        inspect(engine, 'Status'),
      ]
    },
  },
  {
    what: 'kill, also by other signals, rm -f',
    async see(engine) {
      start(engine, 'trap "echo hup" HUP; while :; do sleep 0.1; done')
      const { call } = engine
      const hup = done(engine, 'kill', '--signal', 'HUP', name)
      await until(() => call('logs', name).stdout === 'hup\n')
      const killed = done(engine, 'kill', name)
      await until(() => inspect(engine, 'Status') === 'exited')
      return [hup, killed, inspect(engine, 'ExitCode'), done(engine, 'rm', '-f', name)]
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
  {
    what: '--init: it ends what TERM does not',
    see(engine) {
      start(engine, 'sleep 1000', '--init', '--init-path', '/usr/bin/docker-init')
      const first = engine.call('exec', name, 'cat', '/proc/1/comm')
      engine.call('stop', '-t', '9', name)
      return [first, inspect(engine, 'ExitCode')]
    },
  },
  {
    what: '--restart on-failure:2',
    async see(engine) {
      start(engine, 'echo again; exit 3', '--restart', 'on-failure:2')
      await until(() => engine.call('logs', name).stdout === 'again\n'.repeat(3))
      return engine.call('logs', name).stdout
    },
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
  run('-v /sys:/sys', ['-v', '/sys:/sys'], 'ls /sys/kernel | head -3; ls /sys/fs/cgroup | head -3'),
  run('--user, --group-add, -w, -e', ['-u', '12:34', '--group-add', '56', '-w', '/tmp', '-e', 'A=b'], who),
  run('--hostname', ['--hostname', 'mine'], 'hostname; cat /etc/hostname'),
  run('--cap-add, --cap-drop', ['--cap-drop', 'ALL', '--cap-add', 'NET_ADMIN'], who),
  {
    what: 'build with RUN',
    see({ call, place, run: words }) {
      mkdirSync(place.at('context'), { recursive: true })
      writeFileSync(place.at('context/Containerfile'), 'FROM localhost/busybox\nRUN echo built > /file && id -u\n')
      const none = ['--network', 'none']
      const { status } = call('build', '-q', '--no-cache', ...none, '-t', 'localhost/built', place.at('context'))
      return [status, call(...words, '--rm', 'localhost/built', 'cat', '/file')]
    },
  },
]

const paused: Row = {
  what: 'pause, unpause: nothing runs in between',
  async see(engine) {
    start(engine, ticking)
    await until(() => engine.call('logs', name).stdout.includes('tick'))
    const seen: unknown[] = [await ticks(engine)]
    for (const verb of ['pause', 'unpause']) {
      seen.push(done(engine, verb, name), inspect(engine, 'Status'), await ticks(engine))
    }
    return seen
  },
}

/** Rows of rootless podman. */
export const rootlessRows: readonly Row[] = [
  ...dockerRow(sharedRootless),
  ...life,
  // It has no cgroup of its own there, and one of v1 for its processes alone.
  { ...paused, isPossible: !isThere('cgroup2') },
  run('--userns keep-id', ['--userns', 'keep-id'], 'id -u; cat /proc/self/uid_map'),
  ...podRows,
  {
    what: '--group-add keep-groups: a file that only a group of the caller may read',
    see: (engine) =>
      shell(engine, ['--group-add', 'keep-groups', '-v', `${engine.place.at('mine')}:/mine`], 'cat /mine/file'),
    expected: { status: 0, stdout: 'of a group\n', stderr: '' },
  },
]

export const podmanRows: readonly Row[] = [
  ...dockerRow(shared),
  ...life,
  paused,
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
    isPossible: hasLimits,
  },
  run(
    '--device',
    ['--device', '/dev/null:/dev/mine:r'],
    'stat -c "%F %t %T %a" /dev/mine; head -c1 /dev/mine; echo x > /dev/mine',
  ),
  run(
    '--uidmap, --gidmap',
    ['--uidmap', '0:100000:1000', '--gidmap', '0:100000:1000'],
    'id -u; cat /proc/self/uid_map',
  ),
  {
    what: '-v with idmap: files of 0 are those of the first id of the container',
    see(engine) {
      mkdirSync(engine.place.at('idmapped'), { recursive: true })
      const mapped = ['--uidmap', '0:100000:1000', '--gidmap', '0:100000:1000']
      return shell(
        engine,
        [...mapped, '-v', `${engine.place.at('idmapped')}:/v:idmap`],
        'stat -c %u /v; touch /v/x; stat -c %u /v/x',
      )
    },
    expected: { status: 0, stdout: '0\n0\n', stderr: '' },
  },
  {
    what: '--hooks-dir, --annotation run.oci.hooks.stdout: a hook, and a file with its output',
    see(engine) {
      const { place } = engine
      mkdirSync(place.at('hooks'), { recursive: true })
      writeFileSync(place.at('hook'), '#!/bin/sh\necho hooked\n')
      chmodSync(place.at('hook'), 0o755)
      const hook = { version: '1.0.0', hook: { path: place.at('hook') }, when: { always: true }, stages: ['prestart'] }
      writeFileSync(place.at('hooks/hook.json'), JSON.stringify(hook))
      const output = place.at('hook-output')
      rmSync(output, { force: true })
      // A flag of podman itself.
      const words = ['--hooks-dir', place.at('hooks'), ...engine.run, '--rm']
      const ran = engine.call(...words, '--annotation', `run.oci.hooks.stdout=${output}`, 'busybox', 'true')
      return [ran, existsSync(output) ? readFileSync(output, 'utf8') : undefined]
    },
    expected: [{ status: 0, stdout: '', stderr: '' }, 'hooked\n'],
  },
  {
    what: 'container checkpoint, restore',
    async see(engine) {
      start(engine, 'i=0; while :; do i=$((i + 1)); echo $i > /count; sleep 0.1; done')
      const { call } = engine
      const count = (): number => Number(call('exec', name, 'cat', '/count').stdout)
      await until(() => count() > 2)
      const saved = call('container', 'checkpoint', name).status
      if (saved !== 0) return ['not saved', inspect(engine, 'Status')]
      const ended = inspect(engine, 'Status')
      const restored = call('container', 'restore', name).status
      return [saved, ended, restored, inspect(engine, 'Status'), count() > 2]
    },
  },
  // Podman makes a cgroup for a pod, whose device rules let nothing pass where v1 has the controllers.
  ...podRows.map((row) => ({ ...row, isPossible: hasLimits })),
]
