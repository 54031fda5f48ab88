import { defaultConfig } from '../../src/bundle/default-config.ts'
import { type Json, type ObserveOptions, parentCgroup, script } from './observe.ts'

export interface Case extends ObserveOptions {
  readonly config: Json
  /** The exit code that is expected from both, where it is known. */
  readonly status?: number
}

interface Change extends Json {
  process?: Json
  linux?: Json
  /** Mounts to add to the default ones. */
  mounts?: readonly Json[]
}

/** The config.json that `runc spec` writes, which runs the observing script without a terminal, changed. */
function config({ process, linux, mounts = [], ...top }: Change = {}): Json {
  const base = defaultConfig({ rootless: false, cgroupNamespace: false, uid: 0, gid: 0 })
  return JSON.parse(
    JSON.stringify({
      ...base,
      ...top,
      process: { ...base.process, terminal: false, args: ['/bin/sh', '-c', script], ...process },
      linux: { ...base.linux, ...linux },
      mounts: [...(base.mounts ?? []), ...mounts],
    }),
  )
}

const shell = (text: string, change: Change = {}): Json =>
  config({ ...change, process: { args: ['/bin/sh', '-c', text], ...change.process } })

const user = (uid: number, gid: number, rest: Json = {}): Json => ({ user: { uid, gid, ...rest } })

const allSets = (names: readonly string[]): Json =>
  Object.fromEntries(['bounding', 'effective', 'permitted', 'inheritable', 'ambient'].map((set) => [set, names]))

const namespaces = (...types: readonly string[]): Json => ({ namespaces: types.map((type) => ({ type })) })

const tmpfs = (destination: string, ...options: string[]): Json => ({
  destination,
  type: 'tmpfs',
  source: 'tmpfs',
  options,
})

const bind = (source: string, destination: string, ...options: string[]): Json => ({
  destination,
  type: 'bind',
  source,
  options: ['bind', ...options],
})

const everyNamespace = ['pid', 'network', 'ipc', 'uts', 'mount', 'user']
const mappings = (hostID: number): readonly Json[] => [{ containerID: 0, hostID, size: 65536 }]
const mapped = {
  ...namespaces(...everyNamespace),
  uidMappings: mappings(100000),
  gidMappings: mappings(200000),
}

/** What runs the same under both, by name. */
export const cases: Readonly<Record<string, Case>> = {
  'the default config': { config: config() },
  'a writable root': { config: config({ root: { path: 'rootfs' } }) },
  'a root by its absolute path, with a hostname and a domain name': { config: config({ hostname: 'alpha' }) },

  'a user': { config: config({ process: user(1000, 1000) }) },
  'a user with more groups and a umask': {
    config: config({ process: user(1000, 1000, { additionalGids: [2000, 5, 77], umask: 0o27 }) }),
  },
  'a user without an entry': { config: config({ process: user(12345, 54321) }) },
  'no capabilities': { config: config({ process: { capabilities: {} } }) },
  'capabilities left out': { config: config({ process: { capabilities: undefined } }) },
  'every set of capabilities': {
    config: config({ process: { capabilities: allSets(['CAP_CHOWN', 'CAP_NET_RAW', 'CAP_SYS_ADMIN']) } }),
  },
  'ambient capabilities of a user': {
    config: config({ process: { ...user(1000, 1000), capabilities: allSets(['CAP_NET_BIND_SERVICE', 'CAP_KILL']) } }),
  },
  'a bounding set wider than the permitted one': {
    config: config({
      process: { capabilities: { bounding: ['CAP_CHOWN', 'CAP_KILL'], effective: [], permitted: ['CAP_CHOWN'] } },
    }),
  },
  'new privileges': { config: config({ process: { noNewPrivileges: false } }) },

  'resource limits': {
    config: config({
      process: {
        rlimits: [
          { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 },
          { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
          { type: 'RLIMIT_STACK', soft: 4194304, hard: 8388608 },
          { type: 'RLIMIT_MEMLOCK', soft: 65536, hard: 65536 },
        ],
      },
    }),
  },
  'no resource limits': { config: config({ process: { rlimits: [] } }) },
  'an OOM score': { config: config({ process: { oomScoreAdj: 321 } }) },
  environment: {
    config: config({ process: { env: ['PATH=/bin', 'A=1', 'A=2', 'EMPTY=', 'SPACE=a b', 'LINES=x\ny', 'HOME=/x'] } }),
  },
  'the home of a user': { config: config({ process: { ...user(1000, 1000), env: ['PATH=/bin'] } }) },
  'no environment': {
    config: config({ process: { env: [], args: ['/bin/sh', '-c', `export PATH=/bin\n${script}`] } }),
  },
  'a working directory': { config: config({ process: { cwd: '/data/inner' } }) },
  'a working directory that is to be made': {
    config: config({ root: { path: 'rootfs' }, process: { cwd: '/made/here' } }),
  },

  'tmpfs of many kinds': {
    config: config({
      mounts: [
        tmpfs('/tmp'),
        tmpfs('/work', 'mode=0711', 'size=1m', 'nosuid', 'noatime'),
        tmpfs('/data', 'ro', 'nodev', 'noexec', 'uid=1000', 'gid=2000'),
        tmpfs('/new/place', 'strictatime', 'mode=1777'),
      ],
    }),
  },
  'bind mounts of many kinds': {
    config: config({
      mounts: [
        bind('/usr', '/usr'),
        bind('/usr/share', '/data', 'ro', 'nosuid', 'nodev', 'noexec'),
        bind('rootfs/data/file', '/etc/file', 'ro'),
        bind('rootfs/data', '/work', 'noatime', 'rw'),
        { destination: '/tmp', source: '/usr/lib', options: ['rbind', 'rprivate', 'ro'] },
      ],
    }),
  },
  'propagation of mounts': {
    config: config({
      mounts: [
        bind('rootfs/data', '/data', 'rshared'),
        bind('rootfs/work', '/work', 'slave'),
        bind('rootfs/tmp', '/tmp', 'private'),
        bind('rootfs/etc', '/etc', 'unbindable'),
      ],
    }),
  },
  'recursive attributes': { config: config({ mounts: [bind('/usr', '/data', 'rro', 'rnosuid', 'rnodev')] }) },
  'a mount on top of a mount': {
    config: config({
      mounts: [tmpfs('/data', 'mode=755'), tmpfs('/data/deep/er', 'mode=700'), bind('/usr', '/data/usr')],
    }),
  },
  'tmpfs with the content of the directory': {
    config: shell('ls -ln /data; cat /data/file', { mounts: [tmpfs('/data', 'tmpcopyup')] }),
  },
  'a read-only /dev': {
    config: config({
      mounts: [{ destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'ro', 'mode=755'] }],
    }),
  },
  ...Object.fromEntries(
    ['private', 'rprivate', 'slave', 'rslave'].map((rootfsPropagation) => [
      `${rootfsPropagation} root`,
      { config: config({ linux: { rootfsPropagation } }) },
    ]),
  ),

  devices: {
    config: config({
      linux: {
        devices: [
          { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o600, uid: 1000, gid: 2000 },
          { path: '/dev/deep/er/block', type: 'b', major: 7, minor: 0 },
          { path: '/dev/pipe', type: 'p', fileMode: 0o622 },
          { path: '/dev/tty', type: 'c', major: 5, minor: 0, fileMode: 0o620 },
        ],
        resources: {
          devices: [
            { allow: false, access: 'rwm' },
            { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
            { allow: true, type: 'b', access: 'r' },
          ],
        },
      },
    }),
  },
  'masked and read-only paths': {
    config: config({
      mounts: [],
      linux: {
        maskedPaths: ['/data/inner', '/data/file', '/missing', '/proc/kcore'],
        readonlyPaths: ['/work', '/missing'],
      },
      root: { path: 'rootfs' },
    }),
  },
  'nothing masked': { config: config({ linux: { maskedPaths: [], readonlyPaths: [] } }) },
  sysctl: {
    config: shell(
      'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_unprivileged_port_start',
      {
        linux: {
          sysctl: { 'net.ipv4.ip_forward': '1', 'kernel.msgmax': '12345', 'net/ipv4/ip_unprivileged_port_start': '81' },
        },
      },
    ),
  },

  'limits of the cgroup': {
    config: config({
      linux: {
        resources: {
          memory: { limit: 64 << 20, reservation: 32 << 20 },
          cpu: { shares: 512, quota: 50000, period: 100000, cpus: '0' },
          pids: { limit: 99 },
        },
      },
    }),
  },
  'a named cgroup': { config: config({ linux: { cgroupsPath: `/${parentCgroup}/side-by-side` } }) },
  'a cgroup namespace': { config: config({ linux: namespaces('pid', 'network', 'ipc', 'uts', 'mount', 'cgroup') }) },

  'namespaces of the host': { config: config({ hostname: undefined, linux: namespaces('mount') }) },
  'the network of the host': { config: config({ linux: namespaces('pid', 'ipc', 'uts', 'mount') }) },
  'the processes of the host': {
    config: shell('readlink /proc/self/ns/pid | grep -q . && id', {
      linux: namespaces('network', 'ipc', 'uts', 'mount'),
    }),
  },
  'a user namespace': { config: config({ linux: mapped }) },
  'a user in a user namespace': {
    config: config({ process: user(1000, 1000, { additionalGids: [7] }), linux: mapped }),
  },
  'a user namespace of several ranges': {
    config: config({
      linux: {
        ...mapped,
        uidMappings: [
          { containerID: 0, hostID: 100000, size: 1 },
          { containerID: 1, hostID: 300000, size: 65535 },
        ],
      },
    }),
  },

  'a terminal': { config: config({ process: { terminal: true } }), terminal: true },
  'the size of a terminal follows that of the caller': {
    config: shell('until [ "$(stty size 2>&-)" = "33 99" ]; do :; done; tty', { process: { terminal: true } }),
    terminal: true,
    status: 0,
  },
  'standard input': { config: shell('cat; echo end'), stdin: 'one\ntwo\n' },
  'much output': { config: shell('seq 1 20000') },

  ...Object.fromEntries(
    [0, 1, 42, 125, 126, 127, 255].map((code) => [
      `exit code ${code}`,
      { config: shell(`exit ${code}`), status: code },
    ]),
  ),
  ...Object.fromEntries(
    [1, 2, 6, 9, 11, 13, 15].map((signal) => [
      // The first process of a PID namespace cannot kill itself, so this one has none.
      `signal ${signal}`,
      {
        config: shell(`kill -${signal} $$; sleep 10`, { linux: namespaces('network', 'ipc', 'uts', 'mount') }),
        status: 128 + signal,
      },
    ]),
  ),
  'the first process ignores a signal that it sends itself': { config: shell('kill -TERM $$; exit 3'), status: 3 },
}

/** runc 1.1.5 leaves this root private, runc 1.5 and bundle-tool make it what is asked for. */
export const sharedRoot: Case = { config: config({ linux: { rootfsPropagation: 'shared' } }) }

/** What both refuse, before anything of the image runs. */
export const refused: Readonly<Record<string, Json>> = {
  'a command that is not there': config({ process: { args: ['/bin/nothing'] } }),
  'a command that is not in PATH': config({ process: { args: ['nothing'] } }),
  'a command that is a directory': config({ process: { args: ['/data'] } }),
  'a command that is not executable': config({ process: { args: ['/data/file'] } }),
  'no command': config({ process: { args: [] } }),
  'a relative working directory': config({ process: { cwd: 'data' } }),
  'a working directory that is a file': config({ process: { cwd: '/data/file' } }),
  'a rootfs that is not there': config({ root: { path: 'missing' } }),
  'a bind mount of what is not there': config({ mounts: [bind('/missing', '/data')] }),
  'an unknown file system': config({ mounts: [{ destination: '/data', type: 'nosuchfs', source: 'x' }] }),
  'a mount over /proc': config({ mounts: [tmpfs('/proc')] }),
  'a mount below /proc': config({ mounts: [bind('/usr', '/proc/sys')] }),
  'an unknown resource limit': config({ process: { rlimits: [{ type: 'RLIMIT_X', soft: 1, hard: 1 }] } }),
  'a resource limit above itself': config({ process: { rlimits: [{ type: 'RLIMIT_NOFILE', soft: 2, hard: 1 }] } }),
  'a sysctl of the host': config({ linux: { sysctl: { 'kernel.panic': '1' } } }),
  'a network sysctl without a network namespace': config({
    linux: { ...namespaces('pid', 'ipc', 'uts', 'mount'), sysctl: { 'net.ipv4.ip_forward': '1' } },
  }),
  'a hostname without a UTS namespace': config({ hostname: 'x', linux: namespaces('pid', 'network', 'ipc', 'mount') }),
  'a namespace twice': config({ linux: namespaces('pid', 'pid', 'mount') }),
  'a namespace path that is not there': config({
    linux: { namespaces: [{ type: 'network', path: '/missing' }, { type: 'mount' }] },
  }),
  'a user namespace without mappings': config({ linux: namespaces(...everyNamespace) }),
  'a group that is not mapped': config({
    process: user(0, 0, { additionalGids: [70000] }),
    linux: mapped,
  }),
  'an unknown propagation': config({ linux: { rootfsPropagation: 'both' } }),
}
