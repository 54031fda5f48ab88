import { arch } from 'node:process'
import { aarch64Syscalls } from '../compile/seccomp/syscalls/aarch64.ts'
import { parseSyscallTable } from '../compile/seccomp/syscalls/table.ts'
import { x86_64Syscalls } from '../compile/seccomp/syscalls/x86-64.ts'

/** The system calls of each architecture that the runner is built for, by the name that Node.js has for it. */
const tables: Readonly<Record<string, () => string>> = { x64: x86_64Syscalls, arm64: aarch64Syscalls }

/** The name of a system call by its number; undefined when there is none. */
export function syscallName(number: number, architecture: string = arch): string | undefined {
  const table = tables[architecture]
  const numbers = table === undefined ? [] : Object.entries(parseSyscallTable(table()))
  return numbers.find(([, one]) => one === number)?.[0]
}
