import type { OpDefinition } from './definition.ts'

/** Ops on network interfaces. */
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
} as const
networkOps satisfies Record<string, OpDefinition>
