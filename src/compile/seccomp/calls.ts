import type { SeccompArg } from '../../oci/runtime-config.ts'
import type { SeccompArchitecture } from './architectures.ts'
import { parseSyscallTable } from './syscalls/table.ts'

/** The numbers of an architecture as a filter sees them, by the names of a profile. */
export interface CallNumbers {
  readonly architecture: SeccompArchitecture
  readonly byName: ReadonlyMap<string, number>
}

/** A system call that a rule names, as the kernel shows it to the filter. */
export interface NumberedCall {
  readonly number: number
  readonly args: readonly SeccompArg[]
}

export function callNumbers(architecture: SeccompArchitecture): CallNumbers {
  return { architecture, byName: parseSyscallTable(architecture.table(), architecture.numberBit) }
}

/**
 * Adds what a name stands for on an architecture: nothing where it has no such call, and two calls where sockets or System V
 * IPC have both numbers of their own and a multiplexer (as 32-bit x86 has).
 *
 * The multiplexer's first argument says which call it is, and takes the place of the rule's condition on its own first
 * argument: what else there is lies in memory, which a filter cannot read. So does libseccomp.
 */
export function addCalls(
  calls: NumberedCall[],
  name: string,
  args: readonly SeccompArg[],
  { architecture: { multiplexers }, byName }: CallNumbers,
): void {
  const multiplexed = multiplexers && multiplexedCalls.get(name)
  if (multiplexed) {
    const which: SeccompArg = { index: 0, op: 'SCMP_CMP_EQ', value: multiplexed.call }
    const others = args.filter(({ index }) => index !== 0)
    calls.push({ number: multiplexers[multiplexed.by], args: [which, ...others] })
  }
  const number = byName.get(name)
  if (number !== undefined) calls.push({ number, args })
}

/**
 * The largest number that the names have on an architecture, or undefined where they have none above 0.
 *
 * Calls that also go through a multiplexer do not count: libseccomp has no number for them.
 */
export function largestNumber(names: Iterable<string>, { architecture, byName }: CallNumbers): number | undefined {
  let largest = 0
  for (const name of names) {
    if (architecture.multiplexers && multiplexedCalls.has(name)) continue
    largest = Math.max(largest, byName.get(name) ?? 0)
  }
  return largest === 0 ? undefined : largest
}

interface MultiplexedCall {
  readonly by: 'socketcall' | 'ipc'
  readonly call: number
}

const socketCalls = [
  ...['socket', 'bind', 'connect', 'listen', 'accept', 'getsockname', 'getpeername', 'socketpair', 'send', 'recv'],
  ...['sendto', 'recvfrom', 'shutdown', 'setsockopt', 'getsockopt', 'sendmsg', 'recvmsg', 'accept4', 'recvmmsg'],
  'sendmmsg',
]
const ipcCalls = { semop: 1, semget: 2, semctl: 3, semtimedop: 4, msgsnd: 11, msgrcv: 12, msgget: 13, msgctl: 14 }
const sharedMemoryCalls = { shmat: 21, shmdt: 22, shmget: 23, shmctl: 24 }

/** The calls of socketcall(2) (linux/net.h, counted from 1) and of ipc(2) (linux/ipc.h). */
const multiplexedCalls: ReadonlyMap<string, MultiplexedCall> = new Map([
  ...socketCalls.map((name, index): [string, MultiplexedCall] => [name, { by: 'socketcall', call: index + 1 }]),
  ...Object.entries({ ...ipcCalls, ...sharedMemoryCalls }).map(([name, call]): [string, MultiplexedCall] => [
    name,
    { by: 'ipc', call },
  ]),
])
