import type { SeccompArg } from '../../oci/runtime-config.ts'
import type { SeccompArchitecture } from './architectures.ts'
import { parseSyscallTable } from './syscalls/table.ts'

/** The system call numbers of an architecture as a filter sees them, by name. */
export interface SyscallNumbers {
  readonly architecture: SeccompArchitecture
  readonly byName: ReadonlyMap<string, number>
}

/** A system call of a rule, in the form in which the kernel shows it to the filter. */
export interface NumberedSyscall {
  readonly number: number
  readonly args: readonly SeccompArg[]
}

export function syscallNumbers(architecture: SeccompArchitecture): SyscallNumbers {
  return { architecture, byName: parseSyscallTable(architecture.table(), architecture.numberBit) }
}

/**
 * Adds the system calls that a name means on an architecture: none if it has no such call; two if sockets or System V IPC
 * have both numbers of their own and a multiplexer (as on 32-bit x86).
 *
 * The multiplexer's first argument selects the call, and its condition replaces the rule's condition on the first argument.
 * The call's own arguments are in memory, which a filter cannot read. libseccomp does the same.
 */
export function addSyscalls(
  calls: NumberedSyscall[],
  name: string,
  args: readonly SeccompArg[],
  { architecture: { multiplexers }, byName }: SyscallNumbers,
): void {
  const multiplexed = multiplexers && multiplexedSyscalls.get(name)
  if (multiplexed) {
    const which: SeccompArg = { index: 0, op: 'SCMP_CMP_EQ', value: multiplexed.call }
    const others = args.filter(({ index }) => index !== 0)
    calls.push({ number: multiplexers[multiplexed.by], args: [which, ...others] })
  }
  const number = byName.get(name)
  if (number !== undefined) calls.push({ number, args })
}

/**
 * The largest number of the named system calls on an architecture, or undefined if there is none above 0.
 *
 * Calls that also go through a multiplexer do not count, since libseccomp has no number for them.
 */
export function largestNumber(names: Iterable<string>, { architecture, byName }: SyscallNumbers): number | undefined {
  let largest = 0
  for (const name of names) {
    if (architecture.multiplexers && multiplexedSyscalls.has(name)) continue
    largest = Math.max(largest, byName.get(name) ?? 0)
  }
  return largest === 0 ? undefined : largest
}

interface MultiplexedSyscall {
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
const multiplexedSyscalls: ReadonlyMap<string, MultiplexedSyscall> = new Map([
  ...socketCalls.map((name, index): [string, MultiplexedSyscall] => [name, { by: 'socketcall', call: index + 1 }]),
  ...Object.entries({ ...ipcCalls, ...sharedMemoryCalls }).map(([name, call]): [string, MultiplexedSyscall] => [
    name,
    { by: 'ipc', call },
  ]),
])
