import type { OpDefinition } from './definition.ts'

/** Ops that talk to CRIU. */
export const criuOps = {
  criu_start: {
    number: 110,
    operands: { to: 'newSlot', path: 'string' },
    does: 'runs "criu swrk" on a socket, with the descriptors that the runner has inherited, as the new process',
  },
  criu_directory: {
    number: 113,
    operands: { path: 'string', fd: 'decimal' },
    does: 'openat(2) of a directory, which replaces an inherited descriptor',
  },
  criu_send: { number: 111, operands: { socket: 'slot', message: 'bytes' }, does: 'write(2) of a message to CRIU' },
  criu_wait: {
    number: 112,
    operands: { terminal: 'newSlot', socket: 'slot', script: 'string' },
    does: 'waits for the notification of CRIU with this name, which has the pid of the new process (none: for its end); the slot gets a terminal that it sends',
  },
} as const
criuOps satisfies Record<string, OpDefinition>
