/**
 * The numbers of an architecture's system calls, by name.
 *
 * A table is a text: each line holds a number and the names of the system calls counted up from it. The numbers of the
 * tables in this folder are those of Linux 7.1-rc4, from the `syscall.tbl` that each names, as libseccomp's
 * `src/syscalls.csv` (2.6.1) collects them. Numbers are never reused, so an older kernel's are the same or absent.
 */
export function parseSyscallTable(text: string): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [first, ...names] = line.split(' ')
    for (const [index, name] of names.entries()) numbers.set(name, Number(first) + index)
  }
  return numbers
}
