import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tool } from '../engine-place.ts'
import { name, often, type Row, type RowEngine, until } from './rows.ts'

const shell = (engine: RowEngine, flags: readonly string[], script: string) =>
  engine.call(...engine.run, '--rm', ...flags, 'busybox', 'sh', '-c', script)

/** A row of one container that is run to its end. */
const run = (what: string, flags: readonly string[], script: string): Row => ({
  what,
  see: (engine) => shell(engine, flags, script),
})

/** Starts the container of a row, and throws when that fails. */
function start({ call, run: words }: RowEngine, script: string, ...flags: readonly string[]): void {
  const { status, stderr } = call(...words, '-d', '--name', name, ...flags, 'busybox', 'sh', '-c', script)
  if (status !== 0) throw new Error(stderr)
}

const inspect = ({ call }: RowEngine, field: string): string =>
  call('inspect', '--format', `{{.State.${field}}}`, name).stdout.trim()

const waiting = 'trap "echo ended; exit 5" TERM; echo started; while :; do sleep 0.1; done'
const limits =
  'cd /sys/fs/cgroup; cat m*/memory.limit_in_bytes memory.max p*/pids.max pids.max c*/cpu.cfs_quota_us cpu.max 2>&-; true'
const who =
  'id; pwd; echo $A; grep -E "^(Cap|NoNew|Groups)" /proc/self/status; ulimit -n; cat /proc/sys/net/ipv4/ip_forward'

export const dockerRows: readonly Row[] = [
  {
    what: 'run --rm IMAGE true',
    see: ({ call, run: words }) => call(...words, '--rm', 'busybox', 'true'),
    times: often,
  },
  run('run: streams, exit code', [], 'echo out; echo err >&2; exit 7'),
  {
    what: 'run: a command that is not there, one that cannot be executed',
    fails: true,
    see: ({ call, run: words }) => ['nope', '/etc/passwd'].map((word) => call(...words, '--rm', 'busybox', word)),
  },
  {
    what: 'run -i',
    see: ({ place, run: words }) => place.call(['docker', ...words, '--rm', '-i', 'busybox', 'cat'], 'in'),
  },
  {
    what: 'run -it',
    see: ({ onTerminal, run: words }) => onTerminal(...words, '--rm', '-it', 'busybox', 'sh', '-c', 'tty; exit 3'),
  },
  {
    what: 'run -d, logs, stop',
    see(engine) {
      start(engine, waiting)
      const stopped = engine.call('stop', name)
      return [stopped, inspect(engine, 'ExitCode'), engine.call('logs', name)]
    },
  },
  {
    what: 'exec, also -u -w -e, -d and -it',
    see(engine) {
      start(engine, waiting)
      const { call, onTerminal } = engine
      return [
        call('exec', '-u', '1:2', '-w', '/tmp', '-e', 'X=y', name, 'sh', '-c', 'id; pwd; echo $X; exit 4'),
        call('exec', '-d', name, 'touch', '/made'),
        onTerminal('exec', '-it', name, 'sh', '-c', 'tty; exit 3'),
        call('exec', name, 'nope').status,
        call('exec', name, 'ls', '/made'),
      ]
    },
  },
  {
    what: 'kill, restart, rm -f',
    async see(engine) {
      start(engine, 'sleep 1000')
      engine.call('kill', name)
      await until(() => inspect(engine, 'Status') === 'exited')
      const code = inspect(engine, 'ExitCode')
      engine.call('restart', '-t', '0', name)
      await until(() => inspect(engine, 'Status') === 'running')
      return [code, engine.call('rm', '-f', name), engine.call('ps', '-aq')]
    },
  },
  {
    what: 'pause, unpause',
    see(engine) {
      start(engine, waiting)
      return ['pause', 'unpause'].map((verb) => [engine.call(verb, name), inspect(engine, 'Status')])
    },
  },
  {
    what: 'top, stats',
    see(engine) {
      start(engine, 'sleep 1000; true')
      return [
        engine.call('top', name, '-o', 'args').stdout,
        engine.call('stats', '--no-stream', '--format', '{{.PIDs}}', name),
      ]
    },
  },
  {
    what: 'update',
    see(engine) {
      start(engine, 'sleep 1000', '--memory', '64m', '--pids-limit', '20', '--cpus', '0.5')
      const before = engine.call('exec', name, 'sh', '-c', limits)
      const changes = ['--memory', '80m', '--memory-swap', '160m', '--pids-limit', '30', '--cpus', '0.7']
      return [before, engine.call('update', ...changes, name), engine.call('exec', name, 'sh', '-c', limits)]
    },
  },
  {
    what: 'cp both ways, export',
    see(engine) {
      const { call, place } = engine
      start(engine, 'sleep 1000')
      writeFileSync(place.at('copied'), 'content\n')
      const out = place.at('out')
      rmSync(out, { force: true })
      const results = [
        call('cp', place.at('copied'), `${name}:/in`),
        call('exec', name, 'cat', '/in'),
        call('cp', `${name}:/in`, out),
      ]
      const exported = place.call(['sh', '-c', `docker export ${name} | tar -t | grep -x in`])
      return [
        results.map(({ status, stdout }) => [status, stdout]),
        existsSync(out) && readFileSync(out, 'utf8'),
        exported,
      ]
    },
  },
  {
    what: 'healthcheck',
    async see(engine) {
      start(engine, 'sleep 1000', '--health-cmd', 'test -e /ok', '--health-interval', '200ms', '--health-retries', '1')
      await until(() => inspect(engine, 'Health.Status') === 'unhealthy')
      engine.call('exec', name, 'touch', '/ok')
      await until(() => inspect(engine, 'Health.Status') === 'healthy')
      return 'unhealthy, then healthy'
    },
  },
  {
    what: '--restart on-failure:2',
    async see(engine) {
      start(engine, 'echo again; exit 3', '--restart', 'on-failure:2')
      await until(() => inspect(engine, 'Status') === 'exited')
      return [engine.call('inspect', '--format', '{{.RestartCount}}', name), engine.call('logs', name).stdout]
    },
  },
  run('--init', ['--init'], 'cat /proc/1/comm'),
  run('--user, --group-add, -w, -e', ['-u', '12:34', '--group-add', '56', '-w', '/new/dir', '-e', 'A=b'], who),
  run(
    '--cap-add, --cap-drop, --ulimit',
    ['--cap-drop', 'ALL', '--cap-add', 'NET_ADMIN', '--ulimit', 'nofile=99:199'],
    who,
  ),
  run(
    '--security-opt no-new-privileges, --sysctl',
    ['--security-opt', 'no-new-privileges', '--sysctl', 'net.ipv4.ip_forward=1'],
    who,
  ),
  {
    what: '--security-opt seccomp: the default, a file, unconfined',
    see(engine) {
      const rules = [{ names: ['chown', 'fchownat', 'lchown'], action: 'SCMP_ACT_ERRNO' }]
      writeFileSync(engine.place.at('profile'), JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: rules }))
      const probe = 'grep ^Seccomp: /proc/self/status; unshare -U true; mount -t tmpfs x /tmp; chown 1:1 /bin; echo $?'
      return ['', engine.place.at('profile'), 'unconfined'].map((profile) =>
        shell(engine, profile === '' ? [] : ['--security-opt', `seccomp=${profile}`], probe),
      )
    },
  },
  run('--memory, --cpus, --pids-limit', ['--memory', '64m', '--cpus', '0.5', '--pids-limit', '20'], limits),
  run(
    '--device',
    ['--device', '/dev/null:/dev/mine:r'],
    'stat -c "%F %t %T %a" /dev/mine; head -c1 /dev/mine; echo x > /dev/mine',
  ),
  run(
    '--read-only, --tmpfs, -v',
    ['--read-only', '--tmpfs', '/run:size=1m', '-v', '/etc:/v:ro', '-v', '/w'],
    'touch /x; touch /run/x; touch /v/x; touch /w/x; ls /w; df -k /run | tail -1',
  ),
  {
    what: '-v with every propagation',
    see(engine) {
      const { place } = engine
      const volume = place.at('volume')
      mkdirSync(volume, { recursive: true })
      // Only a mount of the host that is shared can be shared with a container.
      const mount = `mount --bind ${volume} ${volume} && mount --make-private ${volume} && mount --make-shared ${volume}`
      place.call(['sh', '-c', mount])
      try {
        const fields = `awk '$5 == "/v" { gsub(/:[0-9]+/, ""); print $6, $7, $8 }' /proc/self/mountinfo`
        return ['private', 'rprivate', 'slave', 'rslave', 'shared', 'rshared'].map((propagation) =>
          shell(engine, ['-v', `${volume}:/v:${propagation}`], fields),
        )
      } finally {
        place.call(['umount', '-l', volume])
      }
    },
  },
  {
    what: '--network, --pid and --ipc of another container',
    see(engine) {
      start(engine, 'sleep 1000', '--ipc', 'shareable')
      const joined = ['--network', '--pid', '--ipc'].flatMap((flag) => [flag, `container:${name}`])
      const words = engine.run.slice(0, -2) // but for the network
      const script = 'readlink /proc/self/ns/net; readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc'
      const inside = engine.call('exec', name, 'sh', '-c', script).stdout
      return engine.call(...words, '--rm', ...joined, 'busybox', 'sh', '-c', script).stdout === inside
    },
  },
  run(
    '--pid host, --ipc host, --uts host',
    ['--pid', 'host', '--ipc', 'host', '--uts', 'host'],
    'readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts',
  ),
  {
    what: '--cgroupns host, private',
    see: (engine) =>
      ['host', 'private'].map((mode) => {
        const { status, stdout } = shell(
          engine,
          ['--cgroupns', mode],
          'readlink /proc/self/ns/cgroup; tail -1 /proc/self/cgroup',
        )
        const [namespace = '', cgroup = ''] = stdout.split('\n')
        return [status, mode === 'host' ? namespace : '', mode === 'private' ? cgroup : '']
      }),
  },
  run('--userns host', ['--userns', 'host'], 'cat /proc/self/uid_map'),
  {
    what: 'run --privileged',
    see: (engine) => shell(engine, ['--privileged'], 'mount -t tmpfs none /tmp && echo mounted'),
    // Where the host lacks a capability, runc fails.
    alone: { status: 0, stdout: 'mounted\n', stderr: '' },
  },
  {
    what: 'as the default runtime: run, build with RUN',
    see({ call, place }) {
      writeFileSync(
        place.at('Dockerfile'),
        'FROM busybox\nRUN echo built > /file && id -u\nUSER 7\nRUN id -u > /tmp/who\n',
      )
      const none = ['--network', 'none']
      const built = call(
        'build',
        '-q',
        '--no-cache',
        ...none,
        '-t',
        'built',
        '-f',
        place.at('Dockerfile'),
        place.at('exec'),
      )
      const ran = call('run', ...none, '--name', name, 'built', 'cat', '/file', '/tmp/who')
      return [built.status, ran, call('inspect', '--format', '{{.HostConfig.Runtime}}', name).stdout]
    },
    alone: [0, { status: 0, stdout: 'built\n7\n', stderr: '' }, 'bundle-tool\n'],
  },
  {
    what: 'bundle-tool --root .../runtime-runc/moby list: containers of both runtimes',
    see(engine) {
      const { call, place } = engine
      start(engine, 'sleep 1000')
      call('run', '-d', '--runtime', 'runc', '--network', 'none', '--name', 'theirs', 'busybox', 'sleep', '1000')
      const ids = call('ps', '-q', '--no-trunc').stdout.split('\n').sort()
      const listed = place.call([tool, '--root', place.at('exec/runtime-runc/moby'), 'list', '-q'])
      call('rm', '-f', 'theirs')
      return [ids.length, listed.status, listed.stdout.split('\n').sort().join() === ids.join(), listed.stderr]
    },
    alone: [3, 0, true, ''],
  },
]
