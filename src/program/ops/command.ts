import type { OpDefinition } from './definition.ts'

/** Ops at the end of a program, of which the last is the container's command. */
export const commandOps = {
  default_home: {
    number: 100,
    operands: { uid: 'id', env: 'list' },
    does: 'adds HOME to the environment, from /etc/passwd, or "/" if the user is not in it',
  },
  find_command: {
    number: 101,
    operands: { name: 'string', path: 'string' },
    does: 'finds the executable as execvp(3) does, so that a missing one fails the create; without a name, that of the command of `exec`',
  },
  wait_start: {
    number: 102,
    operands: { fds: 'slot', fifo: 'slot' },
    does: 'opens the FIFO for writing through /proc/self/fd, which blocks until `start` opens it, and writes one byte',
  },
  exit_on_signals: {
    number: 106,
    operands: {},
    does: 'rt_sigaction(2), rt_sigprocmask(2): SIGHUP, SIGINT, SIGQUIT, SIGABRT and SIGTERM end the process, also as PID 1',
  },
  close_slots: {
    number: 105,
    operands: { first: 'slot', second: 'slot' },
    does: 'close(2) of every slot but these two, so that a container that waits to be started has nothing of the host open',
  },
  close_from: {
    number: 103,
    operands: { first: 'decimal' },
    does: "close_range(2) of all descriptors from `first` on but the runner's own, which are marked close-on-exec; before Linux 5.11 all are marked, through /proc/self/fd",
  },
  execve: {
    number: 104,
    operands: { argv: 'list', env: 'list' },
    does: 'execve(2) of the executable that find_command has found; an empty argv means the arguments of `exec`',
  },
} as const
commandOps satisfies Record<string, OpDefinition>
