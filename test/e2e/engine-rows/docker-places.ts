import { mkdirSync } from 'node:fs'
import { run, shell, start } from './client.ts'
import { name, type Row, type RowEngine } from './rows.ts'

const propagations = ['private', 'rprivate', 'slave', 'rslave', 'shared', 'rshared']

/** Does something with a directory of the host that is a shared mount of its own. */
function withSharedMount<T>({ place }: RowEngine, use: (directory: string) => T): T {
  const volume = place.at('volume')
  mkdirSync(volume, { recursive: true })
  // Only a mount of the host that is shared can be shared with a container.
  const mount = `mount --bind ${volume} ${volume} && mount --make-private ${volume} && mount --make-shared ${volume}`
  place.call(['sh', '-c', `${mount} && mkdir -p ${volume}/theirs ${volume}/ours`])
  try {
    return use(volume)
  } finally {
    place.call(['umount', '-R', '-l', volume])
  }
}

/** Rows about mounts. */
export const mountRows: readonly Row[] = [
  run(
    '--read-only, --tmpfs, -v',
    ['--read-only', '--tmpfs', '/run:size=1m', '-v', '/etc:/v:ro', '-v', '/w'],
    'touch /x; touch /run/x; touch /v/x; touch /w/x; ls /w; df -k /run | tail -1',
  ),
  {
    what: '-v with every propagation: as the kernel has it',
    see: (engine) =>
      withSharedMount(engine, (volume) => {
        // Podman 4.3 on a busy host may show nothing of a container that ends at once.
        const fields = `awk '$5 == "/v" { gsub(/:[0-9]+/, ""); print $6, $7, $8 }' /proc/self/mountinfo; sleep 0.2`
        return propagations.map((propagation) => shell(engine, ['-v', `${volume}:/v:${propagation}`], fields))
      }),
  },
  {
    what: '-v with every propagation: a mount of the host is seen inside, one of the container outside',
    see: (engine) =>
      withSharedMount(engine, (volume) =>
        propagations.map((propagation) => {
          const { call, place } = engine
          const may = [
            '--cap-add',
            'SYS_ADMIN',
            '--security-opt',
            'seccomp=unconfined',
            '--security-opt',
            'apparmor=unconfined',
          ]
          start(engine, 'sleep 1000', '-v', `${volume}:/v:${propagation}`, ...may)
          place.call(['mount', '-t', 'tmpfs', 'host', `${volume}/ours`])
          call('exec', name, 'mount', '-t', 'tmpfs', 'container', '/v/theirs')
          const inside = call('exec', name, 'grep', '-c', ' /v/ours ', '/proc/mounts').stdout
          const outside = place.call(['grep', '-c', ` ${volume}/theirs `, '/proc/self/mounts']).stdout
          call('rm', '-f', name)
          place.call(['sh', '-c', `umount ${volume}/ours ${volume}/theirs 2>&-`])
          return [propagation, inside, outside]
        }),
      ),
  },
  {
    what: '--mount type=bind, tmpfs, with bind-nonrecursive',
    see: (engine) =>
      withSharedMount(engine, (volume) => {
        engine.place.call(['mount', '-t', 'tmpfs', 'sub', `${volume}/ours`])
        const bind = `type=bind,source=${volume},target=/v,readonly`
        const look = "grep -E ' /(v|t)[ /]' /proc/mounts | cut -d ' ' -f 2,3; touch /v/x; touch /v/ours/x"
        return [bind, `${bind},bind-nonrecursive`].map((mount) =>
          shell(
            engine,
            ['--mount', mount, '--mount', 'type=tmpfs,target=/t,tmpfs-mode=1770'],
            `${look}; stat -c %a /t`,
          ),
        )
      }),
  },
]

/** Rows about namespaces that are others'. */
export const namespaceRows: readonly Row[] = [
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
    what: '--network host',
    see: (engine) =>
      engine.call(...engine.run.slice(0, -2), '--network', 'host', '--rm', 'busybox', 'readlink', '/proc/self/ns/net'),
  },
  {
    what: '--cgroupns host, private',
    see: (engine) =>
      ['host', 'private'].map((mode) => {
        const { status, stdout } = shell(
          engine,
          ['--cgroupns', mode],
          'readlink /proc/self/ns/cgroup; tail -1 /proc/self/cgroup; ls -d /sys/fs/cgroup/c* | head -3',
        )
        const [namespace = '', cgroup = '', ...files] = stdout.split('\n')
        return [status, mode === 'host' ? namespace : '', mode === 'private' ? cgroup : '', files]
      }),
  },
  run('--userns host', ['--userns', 'host'], 'cat /proc/self/uid_map'),
]
