import { readFileSync } from 'node:fs'
import { linesOf, mountPointOf, typeOf } from './mountinfo.ts'

/** True when system calls of this process are filtered, as in a container of an engine. */
export const filterAround = (): boolean => /^Seccomp:\s*2$/m.test(readFileSync('/proc/self/status', 'utf8'))

/** File systems whose mount point in procfs or sysfs is an empty directory, made for them: they hide nothing. */
const hidesNothing =
  /^(?:autofs|binfmt_misc|cgroup2?|bpf|pstore|configfs|debugfs|tracefs|securityfs|efivarfs|fusectl|selinuxfs|resctrl)\b/
const emptyForCgroups = '/sys/fs/cgroup'

/** The path of a part of procfs or sysfs that another mount hides, as an engine masks parts of them in its containers. */
export function hiddenPart(type: 'proc' | 'sysfs'): string | undefined {
  const above = type === 'proc' ? '/proc/' : '/sys/'
  return linesOf(readFileSync('/proc/self/mountinfo', 'utf8'))
    .filter((line) => mountPointOf(line).startsWith(above) && !hidesNothing.test(typeOf(line)))
    .map(mountPointOf)
    .find((path) => path !== emptyForCgroups)
}
