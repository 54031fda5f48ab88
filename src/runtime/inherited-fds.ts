import { readlinkSync } from 'node:fs'
import { isSystemError, OciError } from '../errors.ts'

/** The numbers of descriptors from 3 on that a container inherits: first those of socket activation. */
export interface InheritedFds {
  readonly preserveFds?: number | undefined
  readonly listenFds?: number | undefined
}

/**
 * The number of descriptors from 3 on that a container inherits, all of them passed to this process.
 *
 * Node.js and the interpreter open descriptors of their own at the first free numbers.
 * @throws OciError `ERR_USAGE` one of them is not open
 */
export function inheritedFds({ preserveFds = 0, listenFds = 0 }: InheritedFds): number {
  const count = listenFds + preserveFds
  for (let fd = 3; fd < 3 + count; fd++) {
    if (isPassed(fd)) continue
    const which = fd < 3 + listenFds ? 'of LISTEN_FDS' : `${fd - 3 - listenFds} (of ${preserveFds})`
    const problem = `unable to stat preserved-fd ${which}: descriptor ${fd} is not open`
    throw new OciError('ERR_USAGE', problem, { hint: 'pass that descriptor on, or lower --preserve-fds' })
  }
  return count
}

/** The first of those of Node.js, and of the interpreter. */
const own: readonly string[] = ['anon_inode:[eventpoll]', 'anon_inode:[signalfd]']

function isPassed(fd: number): boolean {
  try {
    return !own.includes(readlinkSync(`/proc/self/fd/${fd}`))
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false
    throw error
  }
}
