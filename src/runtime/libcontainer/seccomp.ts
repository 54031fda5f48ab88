import { OciError } from '../../errors.ts'
import type { Seccomp, SeccompAction, SeccompOperator, SeccompSyscall } from '../../oci/runtime-config.ts'
import { type JsonValue, writtenJson } from '../json-text.ts'

const actions: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: 1,
  SCMP_ACT_ERRNO: 2,
  SCMP_ACT_TRAP: 3,
  SCMP_ACT_ALLOW: 4,
  SCMP_ACT_TRACE: 5,
  SCMP_ACT_LOG: 6,
  SCMP_ACT_NOTIFY: 7,
  SCMP_ACT_KILL_THREAD: 8,
  SCMP_ACT_KILL_PROCESS: 9,
}

const operators: Readonly<Record<SeccompOperator, number>> = {
  SCMP_CMP_EQ: 1,
  SCMP_CMP_NE: 2,
  SCMP_CMP_GT: 3,
  SCMP_CMP_GE: 4,
  SCMP_CMP_LT: 5,
  SCMP_CMP_LE: 6,
  SCMP_CMP_MASKED_EQ: 7,
}

/** libseccomp's names of architectures, where they are not the spec's name in lower case. */
const architectures: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64', loongarch64: 'loong64' }

/**
 * A seccomp profile with runc's numbers, one entry for each system call; undefined for one that does nothing.
 *
 * @throws OciError `ERR_CONFIG_INVALID` an architecture that is not of the form SCMP_ARCH_NAME
 * @see runc libcontainer/configs/config.go "Seccomp"
 */
export function libcontainerSeccomp(profile: Seccomp): JsonValue {
  return {
    default_action: actions[profile.defaultAction],
    default_errno_ret: profile.defaultErrnoRet,
    architectures: profile.architectures?.map(architecture),
    flags: profile.flags,
    listener_path: profile.listenerPath || undefined,
    listener_metadata: profile.listenerMetadata || undefined,
    syscalls: syscallEntries(profile.syscalls ?? []),
  }
}

/**
 * The entries of the system calls, written in one piece where possible: there are hundreds, and seldom one with a
 * 64-bit integer.
 */
function syscallEntries(syscalls: readonly SeccompSyscall[]): JsonValue {
  const hasLong = syscalls.some(({ args = [] }) => {
    return args.some(({ value, valueTwo }) => typeof value === 'bigint' || typeof valueTwo === 'bigint')
  })
  const members = ({ action, errnoRet, args = [] }: SeccompSyscall) => ({
    action: actions[action],
    errnoRet,
    args: args.map(({ index, value, valueTwo = 0, op }) => ({ index, value, value_two: valueTwo, op: operators[op] })),
  })
  if (hasLong) return syscalls.flatMap((entry) => entry.names.map((name) => ({ name, ...members(entry) })))
  const entries = syscalls.map((entry) => {
    return entriesOf(entry.names, JSON.stringify(members(entry)).slice(1))
  })
  return writtenJson(`[${entries.filter((text) => text !== '').join(',')}]`)
}

/** An entry for each name, with the same `rest`, which is JSON from the second member on. */
function entriesOf(names: readonly string[], rest: string): string {
  const list = JSON.stringify(names).slice(1, -1)
  // Where no name has a comma, each comma is between two names.
  const isPlain = list.split(',').length === names.length
  return isPlain
    ? `{"name":${list.split('","').join(`",${rest},{"name":"`)},${rest}`
    : names.map((name) => `{"name":${JSON.stringify(name)},${rest}`).join(',')
}

function architecture(text: string, index: number): string {
  const name = /^SCMP_ARCH_([A-Z0-9_]+)$/.exec(text)?.[1]?.toLowerCase()
  if (name === undefined) {
    throw new OciError('ERR_CONFIG_INVALID', `unknown seccomp architecture "${text}"`, {
      pointer: `/linux/seccomp/architectures/${index}`,
    })
  }
  return architectures[name] ?? name
}
