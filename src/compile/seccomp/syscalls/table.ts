/**
 * Parses a table to system call numbers by name, each with `bit` set. The object has no prototype, so that it has no other names.
 *
 * Each line of a table has a number and the names of the system calls from that number on. The numbers of the tables in
 * this folder are those of Linux 7.1-rc4, from the `syscall.tbl` that each names, as collected in libseccomp's
 * `src/syscalls.csv` (2.6.1). Numbers are never reused, so those of an older kernel are the same or absent.
 */
export function parseSyscallTable(text: string, bit = 0): SyscallTable {
  const numbers: Record<string, number> = Object.create(null)
  let next = 0
  for (const word of text.trim().replaceAll('\n', ' ').split(' ')) {
    if (word < ':') next = Number(word)
    else numbers[word] = next++ | bit
  }
  return numbers
}

export type SyscallTable = Readonly<Record<string, number>>
