import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { unlessRefused } from '../../host/door.ts'

/**
 * True when a directory is the lower one of an overlay in some mount namespace: a container is running on it, whichever
 * process has started that.
 */
export function isLowerDirectory(directory: string): boolean {
  const option = inMountInfo(`lowerdir=${directory.replace(/[\\:]/g, '\\$&')},`)
  const seen = new Set<string>()
  return readdirSync('/proc').some((pid) => {
    if (!/^\d+$/.test(pid)) return false
    const namespace = unlessRefused(() => readlinkSync(`/proc/${pid}/ns/mnt`))
    // The mounts of another user's process can be read, but not the name of their namespace.
    if (namespace !== undefined && seen.has(namespace)) return false
    if (namespace !== undefined) seen.add(namespace)
    return unlessRefused(() => readFileSync(`/proc/${pid}/mountinfo`, 'latin1'))?.includes(option) === true
  })
}

/** A text as /proc/PID/mountinfo has it, byte by byte: proc_pid_mountinfo(5). */
const inMountInfo = (text: string): string =>
  Buffer.from(text)
    .toString('latin1')
    .replace(/[ \t\n\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)
