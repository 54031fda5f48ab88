import { readFileSync } from 'node:fs'
import { linesOf, mountPointOf, typeOf } from './mountinfo.ts'

/** The words of a hint: what is to be done about a container around the caller, by the option of its engine. */
export const unconfined = {
  seccomp: 'start the surrounding container with --security-opt seccomp=unconfined',
  systempaths: 'start the surrounding container with --security-opt systempaths=unconfined (podman: unmask=ALL)',
} as const

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
