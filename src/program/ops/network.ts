import type { OpDefinition } from './definition.ts'

/** Ops on network interfaces, and on programs that are the way to a network. */
export const networkOps = {
  loopback_up: { number: 72, operands: {}, does: 'brings the loopback interface up: ioctl(2) SIOCSIFFLAGS' },
  netlink_socket: { number: 88, operands: { to: 'newSlot' }, does: 'socket(2) AF_NETLINK, NETLINK_ROUTE' },
  netlink_request: {
    number: 89,
    operands: { socket: 'slot', request: 'bytes', interface: 'string', netns: 'slot' },
    does: 'sends a request of rtnetlink(7) after filling in the number of the interface, and the namespace if there is one',
  },
  save_interface: {
    number: 95,
    operands: { to: 'newSlot', socket: 'slot', interface: 'string' },
    does: 'saves the permanent addresses of global scope of an interface, and its state up or down, as requests for restore_interface',
  },
  restore_interface: {
    number: 96,
    operands: { socket: 'slot', interface: 'string', saved: 'slot' },
    does: 'sends the requests that save_interface has saved',
  },
  expect_no_interface: {
    number: 97,
    operands: { socket: 'slot', interface: 'string' },
    does: 'fails with EEXIST if there is an interface of this name',
  },
  accompany: {
    number: 125,
    operands: {
      argv: 'list',
      network: 'slot',
      user: 'slot',
      at: 'string',
      ready: 'decimal',
      record: 'text',
    },
    does: "runs a program that ends with the container, in a user namespace if one is given, with PID and mount namespaces of its own, in which the network namespace is mounted at a path; waits until it writes to its descriptor `ready`; writes the pid and the start of the program's keeper to a new file",
  },
  end_recorded: {
    number: 126,
    operands: { path: 'text', wait: 'decimal' },
    does: 'SIGKILL to the process that such a file names, if it is still there, and waits for its end unless `wait` is 0',
  },
  ask: {
    number: 127,
    operands: { at: 'slot', path: 'string', request: 'string', answer: 'string' },
    does: 'connect(2) to a unix socket, write(2), shutdown(2); fails unless the reply begins with the answer, whose end is left out',
  },
} as const
networkOps satisfies Record<string, OpDefinition>
