import type { Seccomp, SeccompArg } from '../../oci/runtime-config.ts'
import { type SeccompArchitecture, seccompArchitectures } from './architectures.ts'
import { parseSyscallTable, type SyscallTable } from './syscalls/table.ts'

/** An architecture, with the numbers of the system calls of a profile as a filter sees them. */
export interface SyscallNumbers {
  readonly architecture: SeccompArchitecture
  /** For each entry of `syscalls` those of its names, in their order; `noNumber` for a name that it does not have. */
  readonly byEntry: readonly (readonly number[])[]
}

export const noNumber: number = -1

/** A system call of a rule, in the form in which the kernel shows it to the filter. */
export interface NumberedSyscall {
  readonly number: number
  readonly args: readonly SeccompArg[]
}

/** The numbers of the system calls of a profile on each of these architectures. */
export function syscallNumbers(
  { syscalls = [] }: Seccomp,
  architectures: readonly SeccompArchitecture[],
): readonly SyscallNumbers[] {
  const tables = architectures.map(parseOnce)
  const places = syscalls.map(({ names }) => placesOf(names))
  return architectures.map((architecture, index) => {
    const table = tables[index] ?? []
    return { architecture, byEntry: places.map((ofEntry) => numbersOf(ofEntry, table)) }
  })
}

/** The places of names in the tables of numbers: hundreds, looked up once for all architectures. */
function placesOf(names: readonly string[]): readonly number[] {
  const found: number[] = []
  for (let at = 0; at < names.length; at++) found.push(placeByName[names[at] ?? ''] ?? -1)
  return found
}

function numbersOf(ofEntry: readonly number[], table: readonly number[]): readonly number[] {
  const numbers: number[] = []
  for (let at = 0; at < ofEntry.length; at++) {
    const place = ofEntry[at] ?? -1
    numbers.push(place < 0 ? noNumber : (table[place] ?? noNumber))
  }
  return numbers
}

/** The names of the system calls of all architectures, for profiles with names that those of the host do not have. */
export function allNames(): SyscallTable {
  const tables = () => Object.values(seccompArchitectures).map(({ table }) => parseSyscallTable(table()))
  known ??= Object.assign<SyscallTable, SyscallTable>(Object.create(null), Object.assign({}, ...tables()))
  return known
}
let known: SyscallTable | undefined

/** The place of each name that an architecture which was parsed has. */
const placeByName: Record<string, number> = Object.create(null)
let placeCount = 0
/** The numbers of an architecture by place. */
const parsed = new Map<SeccompArchitecture, readonly number[]>()

export function parseOnce(architecture: SeccompArchitecture): readonly number[] {
  const done = parsed.get(architecture)
  if (done !== undefined) return done
  const numbers: number[] = []
  for (const [name, number] of Object.entries(parseSyscallTable(architecture.table(), architecture.numberBit))) {
    placeByName[name] ??= placeCount++
    const place = placeByName[name] ?? 0
    while (numbers.length < place) numbers.push(noNumber) // an array with gaps is slow
    numbers[place] = number
  }
  parsed.set(architecture, numbers)
  return numbers
}

/** True for a name of a system call that goes through a multiplexer where there is one. */
export const isMultiplexed = (name: string): boolean => multiplexedSyscalls[name] !== undefined

/**
 * The system call that a name means on an architecture beside the one that has the name's number: sockets and System V IPC also
 * have a multiplexer on some (as on 32-bit x86).
 *
 * The multiplexer's first argument selects the call, and its condition replaces the rule's condition on the first argument.
 * The call's own arguments are in memory, which a filter cannot read. libseccomp does the same.
 */
export function multiplexedSyscall(
  name: string,
  args: readonly SeccompArg[],
  multiplexers: NonNullable<SeccompArchitecture['multiplexers']>,
): NumberedSyscall | undefined {
  const multiplexed = multiplexedSyscalls[name]
  if (multiplexed === undefined) return undefined
  const which: SeccompArg = { index: 0, op: 'SCMP_CMP_EQ', value: multiplexed.call }
  return { number: multiplexers[multiplexed.by], args: [which, ...args.filter(({ index }) => index !== 0)] }
}

/**
 * The largest number of the profile's system calls on an architecture, or undefined if there is none above 0.
 *
 * Calls that also go through a multiplexer do not count, since libseccomp has no number for them.
 */
export function largestNumber(
  { syscalls = [] }: Seccomp,
  { architecture: { multiplexers }, byEntry }: SyscallNumbers,
): number | undefined {
  let largest = 0
  for (const [entry, { names }] of syscalls.entries()) {
    const numbers = byEntry[entry] ?? []
    for (let place = 0; place < numbers.length; place++) {
      const number = numbers[place] ?? noNumber
      if (number > largest && !(multiplexers && isMultiplexed(names[place] ?? ''))) largest = number
    }
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

/** The calls of socketcall(2) (linux/net.h, counted from 1) and of ipc(2) (linux/ipc.h), in an object without other names. */
const multiplexedSyscalls: Readonly<Record<string, MultiplexedSyscall>> = Object.assign(
  Object.create(null),
  ...socketCalls.map((name, index) => ({ [name]: { by: 'socketcall', call: index + 1 } })),
  ...Object.entries({ ...ipcCalls, ...sharedMemoryCalls }).map(([name, call]) => ({ [name]: { by: 'ipc', call } })),
)
