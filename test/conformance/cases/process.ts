import { allSets, type Cases, config, each, mapped, namespaces, shell, user } from './config.ts'

const limit = (type: string, soft: number, hard: number) => ({ type: `RLIMIT_${type}`, soft, hard })
const schedule = (policy: string, rest = {}) => config({ process: { scheduler: { policy, ...rest } } })

/** `process` of config.json. */
export const processCases: Cases = {
  'a user': { config: config({ process: user(1000, 1000) }) },
  'a user with more groups and a umask': {
    config: config({ process: user(1000, 1000, { additionalGids: [2000, 5, 77], umask: 0o27 }) }),
  },
  'a user without an entry': { config: config({ process: user(12345, 54321) }) },
  'a umask of 0': { config: config({ process: user(0, 0, { umask: 0 }) }) },
  'the group of root and another user': { config: config({ process: user(1000, 0, { additionalGids: [0] }) }) },

  'no capabilities': { config: config({ process: { capabilities: {} } }) },
  'capabilities left out': { config: config({ process: { capabilities: undefined } }) },
  'every set of capabilities': {
    config: config({ process: { capabilities: allSets(['CAP_CHOWN', 'CAP_NET_RAW', 'CAP_SYS_ADMIN']) } }),
  },
  'ambient capabilities of a user': {
    config: config({ process: { ...user(1000, 1000), capabilities: allSets(['CAP_NET_BIND_SERVICE', 'CAP_KILL']) } }),
  },
  'capabilities of a user who has none ambient': {
    config: config({
      process: { ...user(1000, 1000), capabilities: { ...allSets(['CAP_CHOWN']), ambient: [], inheritable: [] } },
    }),
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
          limit('NOFILE', 100, 200),
          limit('CORE', 0, 0),
          limit('STACK', 4194304, 8388608),
          limit('MEMLOCK', 65536, 65536),
        ],
      },
    }),
  },
  'resource limits of every kind': {
    config: config({
      process: {
        rlimits: [
          ...['AS', 'DATA', 'RSS', 'FSIZE'].map((type) => limit(type, 2 ** 40, 2 ** 41)),
          ...['CPU', 'LOCKS', 'MSGQUEUE', 'NPROC', 'RTTIME', 'SIGPENDING'].map((type) => limit(type, 1000, 2000)),
          ...['NICE', 'RTPRIO'].map((type) => limit(type, 0, 0)),
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
  'an empty home': { config: config({ process: { ...user(1000, 1000), env: ['PATH=/bin', 'HOME='] } }) },
  'no environment': {
    config: shell('export PATH=/bin; env; pwd', { process: { env: [] } }),
  },
  'a working directory': { config: config({ process: { cwd: '/data/inner' } }) },
  'a working directory that is to be made': {
    config: config({ root: { path: 'rootfs' }, process: { cwd: '/made/here' } }),
  },
  'a working directory by a link': { config: config({ process: { cwd: '/data/link' } }) },
  'a command by its name': { config: config({ process: { args: ['echo', 'found'], env: ['PATH=/missing:/bin'] } }) },
  'a command by a relative path': { config: config({ process: { args: ['../bin/echo', 'x'], cwd: '/data' } }) },
  'arguments of all kinds': { config: config({ process: { args: ['/bin/echo', '', 'a b', '$HOME', 'ä\n', '-n'] } }) },

  'batch scheduling': { since: 2, config: schedule('SCHED_BATCH', { nice: 5 }) },
  'idle scheduling': { since: 2, config: schedule('SCHED_IDLE') },
  'scheduling that ends with a fork': {
    since: 2,
    config: schedule('SCHED_OTHER', { nice: 3, flags: ['SCHED_FLAG_RESET_ON_FORK'] }),
  },
  ...each('I/O priority', ['BE', 'IDLE'], (name) => ({
    since: 2,
    config: config({ process: { ioPriority: { class: `IOPRIO_CLASS_${name}`, priority: 3 } } }),
  })),
  'CPUs for exec are not those of run': {
    since: 3,
    config: config({ process: { execCPUAffinity: { initial: '0', final: '1' } } }),
  },

  'a terminal': { config: config({ process: { terminal: true } }), terminal: true },
  'a terminal of a user': { config: config({ process: { terminal: true, ...user(1000, 1000) } }), terminal: true },
  'a terminal in a user namespace': {
    config: config({ process: { terminal: true, ...user(1000, 1000) }, linux: mapped }),
    terminal: true,
  },
  'the size of a terminal is that of the caller': {
    config: shell('until [ "$(stty size 2>&-)" = "33 99" ]; do :; done; tty', {
      process: { terminal: true, consoleSize: { height: 10, width: 20 } },
    }),
    terminal: true,
    status: 0,
  },
  'standard input': { config: shell('cat; echo end'), stdin: 'one\ntwo\n' },
  'much output': { config: shell('seq 1 20000') },
  'one more descriptor': { config: config(), flags: ['--preserve-fds', '1'] },

  ...each('exit code', [0, 1, 42, 125, 126, 127, 255], (code) => ({ config: shell(`exit ${code}`), status: code })),
  // The first process of a PID namespace cannot kill itself, so these have none.
  ...each('signal', [1, 2, 6, 9, 11, 13, 15], (signal) => ({
    config: shell(`kill -${signal} $$; sleep 10`, { linux: namespaces('network', 'ipc', 'uts', 'mount') }),
    status: 128 + signal,
  })),
  'the first process ignores a signal that it sends itself': { config: shell('kill -TERM $$; exit 3'), status: 3 },
}
