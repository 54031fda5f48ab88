import { getSystemErrorName } from 'node:util'
import { syscallName } from './syscall-names.ts'

/**
 * The system error in a report of the runner, with the system call by its common name: `open` for openat(2).
 * @param number of errno(3)
 */
export function systemError(number: number, syscallNumber: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(-number)
  const syscall = (syscallName(syscallNumber) ?? 'command').replace(/at2?$/, '').replace('pwrite64', 'write')
  return Object.assign(new Error(`${syscall}: ${code}`), { code, errno: -number, syscall })
}
