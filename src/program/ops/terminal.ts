import type { OpDefinition } from './definition.ts'

/** Ops on the descriptors 0 to 2, on terminals, and on sockets of the caller. */
export const terminalOps = {
  chown_stdio: {
    number: 82,
    operands: { uid: 'id' },
    does: 'fchown(2) of the descriptors 0 to 2 that are not a null device, so that the user may reopen them',
  },
  prepare_stdio: {
    number: 120,
    operands: { relay: 'decimal', uid: 'id', gid: 'id' },
    does: 'fails with EISDIR if descriptor 0, 1 or 2 is a directory; fchown(2) of pipes; if relay is 1, replaces others than pipes, sockets and null devices by a pipe, and relays it during every later wait',
  },
  take_stdio: {
    number: 121,
    operands: {},
    does: 'dup3(2) of the pipes that prepare_stdio has made onto the descriptors 0 to 2',
  },
  expect_descriptors: {
    number: 122,
    operands: { count: 'decimal' },
    does: 'fails with EMFILE if RLIMIT_NOFILE is lower, before later steps make things that could then not be undone',
  },
  reopen_null: {
    number: 83,
    operands: { root: 'slot' },
    does: "dup3(2) of the container's /dev/null onto the descriptors 0 to 2 that are a null device",
  },
  open_pty: {
    number: 90,
    operands: { controller: 'newSlot', terminal: 'newSlot', ptmx: 'slot', rows: 'decimal', columns: 'decimal' },
    does: 'opens both ends of a terminal by descriptor: reopens ptmx, TIOCSPTLCK, TIOCGPTPEER, TIOCSWINSZ',
  },
  expect_terminal: {
    number: 108,
    operands: {},
    does: "fails with ENOTTY unless one of the caller's descriptors 0 to 2 is a terminal, or the caller has a controlling terminal, which does not count if the container ends with its caller",
  },
  set_terminal: { number: 91, operands: { terminal: 'slot' }, does: 'ioctl(2) TIOCSCTTY, dup3(2) to 0, 1 and 2' },
  connect: {
    number: 92,
    operands: { to: 'newSlot', path: 'text' },
    does: 'socket(2), connect(2) to a unix socket, with a timeout of ten seconds',
  },
  send_fd: {
    number: 93,
    operands: { socket: 'slot', slot: 'slot', name: 'text' },
    does: 'sendmsg(2) of a descriptor with a name; without a socket, to the other side',
  },
  bind: {
    number: 98,
    operands: { to: 'newSlot', path: 'string' },
    does: 'socket(2), bind(2): a unix datagram socket to which everybody may write',
  },
  notify_relay: {
    number: 99,
    operands: { socket: 'slot', host: 'string', process: 'string', mainPid: 'text', background: 'decimal' },
    does: "forwards READY= of sd_notify(3) to the host's socket, with MAINPID= and BARRIER=1, until the process ends (none: the new process); with background 1 in a separate process",
  },
  receive_fd: { number: 94, operands: { to: 'newSlot' }, does: 'recvmsg(2) of a descriptor from the other side' },
} as const
terminalOps satisfies Record<string, OpDefinition>
