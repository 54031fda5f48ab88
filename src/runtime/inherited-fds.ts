import { readlinkSync } from 'node:fs'
import { isSystemError, OciError } from '../errors.ts'

/** How many descriptors from 3 on a container inherits: those of socket activation first. */
export interface InheritedFds {
  readonly preserveFds?: number | undefined
  readonly listenFds?: number | undefined
}

/**
 * The number of descriptors from 3 on that a container inherits, all of them passed to this process.
 *
 * Node.js opens descriptors of its own where it finds room; the first of them is always an event loop's.
 * @throws OciError `ERR_USAGE` one is not open
 */
export function inheritedFds({ preserveFds = 0, listenFds = 0 }: InheritedFds): number {
  const count = listenFds + preserveFds
  for (let fd = 3; fd < 3 + count; fd++) {
    if (isPassed(fd)) continue
    const which = fd < 3 + listenFds ? 'of LISTEN_FDS' : `${fd - 3 - listenFds} (of ${preserveFds})`
    const problem = `unable to stat preserved-fd ${which}: descriptor ${fd} is not open`
    throw new OciError('ERR_USAGE', problem, { hint: 'pass it on, or ask for fewer with --preserve-fds' })
  }
  return count
}

function isPassed(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) !== 'anon_inode:[eventpoll]'
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false
    throw error
  }
}
