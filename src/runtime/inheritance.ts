import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { isSystemError } from '../errors.ts'

const buffer = Buffer.allocUnsafe(16_384)

/**
 * The state that a container started now would inherit from this process, and that can change while the process runs,
 * as one text: environment, descriptors 0 to 2, user, groups, capabilities, umask, CPUs, limits, cgroups and priority.
 *
 * @returns undefined when it cannot be determined, as with a closed descriptor
 * @see proc_pid_status(5), proc_pid_limits(5), cgroups(7)
 */
export function describeInheritance(): string | undefined {
  try {
    const status = read('status').match(/^(?:Umask|[UG]id|Groups|Cap\w+|NoNewPrivs|Seccomp|\w+_allowed):.*$/gm)
    return JSON.stringify([
      process.env,
      [0, 1, 2].map(describeDescriptor),
      status,
      read('limits'),
      read('cgroup'),
      process.getBuiltinModule('node:os').getPriority(),
    ])
  } catch (error) {
    if (isSystemError(error)) return undefined
    throw error
  }
}

/** Reads a file of /proc/self into a buffer that is ten times as large as Linux needs. */
function read(name: string): string {
  const fd = openSync(`/proc/self/${name}`, 'r')
  try {
    return buffer.toString('latin1', 0, readSync(fd, buffer))
  } finally {
    closeSync(fd)
  }
}

function describeDescriptor(fd: number): string {
  const { dev, ino } = fstatSync(fd)
  return `${dev}:${ino}`
}
