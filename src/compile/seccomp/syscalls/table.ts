/**
 * The numbers of an architecture's system calls, by name, each with `bit` set.
 *
 * A table is a text: each line holds a number and the names of the system calls counted up from it. The numbers of the
 * tables in this folder are those of Linux 7.1-rc4, from the `syscall.tbl` that each names, as libseccomp's
 * `src/syscalls.csv` (2.6.1) collects them. Numbers are never reused, so an older kernel's are the same or absent.
 */
export function parseSyscallTable(text: string, bit = 0): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>()
  let next = 0
  for (const word of text.trim().replaceAll('\n', ' ').split(' ')) {
    if (word < ':') next = Number(word)
    else numbers.set(word, next++ | bit)
  }
  return numbers
}
