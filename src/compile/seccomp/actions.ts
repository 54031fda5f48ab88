import type { SeccompAction } from '../../oci/runtime-config.ts'

/** `SECCOMP_RET_*` of linux/seccomp.h. Their low 16 bits are data: an errno, or a message for the tracer. */
export const seccompVerdicts: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: 0x00050000,
  SCMP_ACT_NOTIFY: 0x7fc00000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
}

const EPERM = 1
const ENOSYS = 38

/** The verdict for system calls that are newer than the profile. */
export const enosysVerdict: number = seccompVerdicts.SCMP_ACT_ERRNO | ENOSYS
/** The verdict for system calls of an architecture that is not in the profile. */
export const killThreadVerdict: number = seccompVerdicts.SCMP_ACT_KILL_THREAD

/** True when an action returns an errno. */
export function takesErrno(action: SeccompAction): boolean {
  return action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE'
}

/** The value that a filter returns for an action; without `errnoRet` it is EPERM. */
export function verdictOf(action: SeccompAction, errnoRet: number = EPERM): number {
  return takesErrno(action) ? seccompVerdicts[action] | (errnoRet & 0xffff) : seccompVerdicts[action]
}
