import type { OpDefinition } from './definition.ts'

/** Ops on processes and namespaces. */
export const processOps = {
  clone: {
    number: 30,
    operands: { flags: 'cloneFlags', cgroup: 'slot' },
    does: 'clone3(2), or clone(2): starts the next phase in a new process, in the cgroup if one is given',
  },
  setns: {
    number: 31,
    operands: { slot: 'slot', type: 'cloneFlags' },
    syscall: ['setns', 'slot', 'type'],
    does: 'setns(2)',
  },
  open_pidfd: { number: 29, operands: { to: 'newSlot' }, does: 'pidfd_open(2) of the new process' },
  unshare: { number: 32, operands: { flags: 'cloneFlags' }, syscall: ['unshare', 'flags'], does: 'unshare(2)' },
  sync_send: { number: 33, operands: { barrier: 'barrier' }, does: 'lets the other side pass the barrier' },
  sync_wait: {
    number: 34,
    operands: { barrier: 'barrier' },
    does: 'waits until the other side reaches the barrier; fails if that process is gone',
  },
  sync_within: {
    number: 28,
    operands: { barrier: 'barrier', timeoutMs: 'decimal' },
    does: 'sync_wait with a timeout',
  },
  identify: {
    number: 35,
    operands: {},
    does: 'sets the registers `start_time` (field 22 of /proc/PID/stat) and `created` for the new process',
  },
  kill_child: { number: 36, operands: {}, does: 'SIGKILL to the new process, waits until it is gone' },
  ready: { number: 37, operands: {}, does: 'reports the new process: the container is created' },
  supervise: {
    number: 38,
    operands: { terminal: 'slot', keep: 'decimal', unheard: 'decimal' },
    does: 'forwards signals and relays the terminal until the container has exited; then runs the undo steps, unless keep is 1. With unheard 1, SIGINT, SIGQUIT, SIGTERM and SIGHUP kill a first process that has no handler for them, as they would outside of a PID namespace',
  },
  spawn: {
    number: 39,
    operands: {
      path: 'string',
      argv: 'list',
      env: 'list',
      input: 'text',
      timeoutMs: 'decimal',
      inheritEnv: 'decimal',
    },
    does: 'runs a program with `input` on its stdin; fails unless it exits with 0 before the timeout (-1: none). inheritEnv: 1 for the environment of the runner, 2 for the one that Node.js is started with',
  },
  helper_output: {
    number: 123,
    operands: { stdout: 'slot', stderr: 'slot' },
    does: "gives programs that `spawn` runs these descriptors, which no step closes, as their stdout and stderr, but not those with inheritEnv 2, this tool's own; what a failed program writes elsewhere is reported",
  },
  setsid: { number: 40, operands: {}, syscall: ['setsid'], does: 'setsid(2)' },
  session_keyring: {
    number: 41,
    operands: { name: 'text', permissions: 'hex' },
    does: 'keyctl(2) KEYCTL_JOIN_SESSION_KEYRING, and KEYCTL_SETPERM to add the permissions',
  },
  prlimit: {
    number: 42,
    operands: { resource: 'resource', soft: 'decimal', hard: 'decimal' },
    does: 'prlimit(2) on the new process in the phase host, else on the process itself',
  },
  spawn_id_map: {
    number: 43,
    operands: { helper: 'string', map: 'list' },
    does: 'runs newuidmap(1) or newgidmap(1) with the pid of the new process and the map',
  },
  sync_closed: {
    number: 44,
    operands: {},
    does: 'waits until the other side has executed its command, which closes its socket; fails if execve(2) failed',
  },
  expect_process: {
    number: 45,
    operands: { process: 'slot', startTime: 'decimal' },
    does: 'fails with ESRCH unless this /proc/PID belongs to the process with this start time: a pid may be reused',
  },
  expect_other: {
    number: 114,
    operands: { slot: 'slot', path: 'string' },
    does: "fails with EEXIST if the descriptor and the path are the same file: the caller's own namespace",
  },
  set_scheduler: {
    number: 46,
    operands: { attributes: 'bytes' },
    syscall: ['sched_setattr', '0', 'attributes'],
    does: 'sched_setattr(2)',
  },
  set_io_priority: {
    number: 47,
    operands: { value: 'decimal' },
    syscall: ['ioprio_set', '1', '0', 'value'],
    does: 'ioprio_set(2)',
  },
  set_affinity: {
    number: 48,
    operands: { cpus: 'bytes' },
    syscall: ['sched_setaffinity', '0', '#cpus', 'cpus'],
    does: 'sched_setaffinity(2)',
  },
  wait_exit: {
    number: 107,
    operands: { pid: 'decimal', startTime: 'decimal' },
    does: "waits for the end of the process with this start time, also if it is not a child, and reports its status as the container's; ENODATA if the status cannot be known",
  },
  set_memory_policy: {
    number: 49,
    operands: { mode: 'hex', nodes: 'bytes' },
    does: 'set_mempolicy(2)',
  },
} as const
processOps satisfies Record<string, OpDefinition>
