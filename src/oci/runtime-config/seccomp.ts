import { array, type Infer, integer, object, oneOf, optional, refine, type Schema, string } from '../schema.ts'
import { cString, strings, u32, u64 } from './values.ts'

const action = () =>
  oneOf(
    'SCMP_ACT_KILL',
    'SCMP_ACT_KILL_PROCESS',
    'SCMP_ACT_KILL_THREAD',
    'SCMP_ACT_TRAP',
    'SCMP_ACT_ERRNO',
    'SCMP_ACT_TRACE',
    'SCMP_ACT_ALLOW',
    'SCMP_ACT_LOG',
    'SCMP_ACT_NOTIFY',
  )
export type SeccompAction = Infer<typeof action>

const operator = () =>
  oneOf('SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE', 'SCMP_CMP_GT', 'SCMP_CMP_MASKED_EQ')
export type SeccompOperator = Infer<typeof operator>

const arg = () =>
  object({
    /** The argument's number, from 0. */
    index: integer(0, 5),
    value: u64,
    /** The value to compare with for `SCMP_CMP_MASKED_EQ`, whose mask is `value`. */
    valueTwo: optional(u64),
    op: operator(),
  })
export interface SeccompArg extends Infer<typeof arg> {}

const syscall = () =>
  object({
    names: refine(array(string), (names) => names.length > 0, 'must name at least one system call'),
    action: action(),
    errnoRet: optional(u32),
    args: optional(array<SeccompArg>(arg())),
  })
export interface SeccompSyscall extends Infer<typeof syscall> {}

const members = () =>
  object({
    defaultAction: action(),
    defaultErrnoRet: optional(u32),
    architectures: strings,
    flags: strings,
    listenerPath: optional(cString),
    listenerMetadata: optional(string),
    syscalls: optional(array<SeccompSyscall>(syscall())),
  })
export interface Seccomp extends Infer<typeof members> {}
export const seccomp: () => Schema<Seccomp> = members
