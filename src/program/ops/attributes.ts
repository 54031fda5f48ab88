import type { OpDefinition } from './definition.ts'

/** Ops on names, rights and attributes of the process itself. */
export const attributeOps = {
  sethostname: {
    number: 70,
    operands: { name: 'string' },
    syscall: ['sethostname', 'name', '#name'],
    does: 'sethostname(2)',
  },
  setdomainname: {
    number: 71,
    operands: { name: 'string' },
    syscall: ['setdomainname', 'name', '#name'],
    does: 'setdomainname(2)',
  },
  umask: { number: 73, operands: { mask: 'octal' }, syscall: ['umask', 'mask'], does: 'umask(2)' },
  chdir: {
    number: 74,
    operands: { path: 'string' },
    does: 'chdir(2), which must end inside the root; no effect if an earlier one succeeded',
  },
  prctl: {
    number: 75,
    operands: { option: 'prctl', value: 'decimal' },
    syscall: ['prctl', 'option', 'value'],
    does: 'prctl(2)',
  },
  bounding_set: {
    number: 76,
    operands: { keep: 'capabilities' },
    does: 'prctl(2) PR_CAPBSET_DROP for every capability of the kernel that is not kept',
  },
  capset: {
    number: 77,
    operands: { effective: 'capabilities', permitted: 'capabilities', inheritable: 'capabilities' },
    does: 'capset(2), limited to the permitted set of the process',
  },
  ambient_set: {
    number: 78,
    operands: { raise: 'capabilities' },
    does: 'prctl(2) PR_CAP_AMBIENT_RAISE for each that is inheritable',
  },
  setgroups: { number: 79, operands: { groups: 'bytes' }, does: 'setgroups(2)' },
  setgid: { number: 80, operands: { gid: 'id' }, syscall: ['setresgid', 'gid', 'gid', 'gid'], does: 'setresgid(2)' },
  setuid: { number: 81, operands: { uid: 'id' }, syscall: ['setresuid', 'uid', 'uid', 'uid'], does: 'setresuid(2)' },
  take_listener: {
    number: 87,
    operands: { to: 'newSlot' },
    does: 'pidfd_getfd(2) of the listener that the new process got from seccomp(2)',
  },
  fchdir: { number: 84, operands: { slot: 'slot' }, syscall: ['fchdir', 'slot'], does: 'fchdir(2)' },
  set_personality: {
    number: 85,
    operands: { persona: 'hex' },
    syscall: ['personality', 'persona'],
    does: 'personality(2)',
  },
  seccomp: {
    number: 86,
    operands: { filter: 'bytes', flags: 'hex', listener: 'newSlot' },
    does: 'seccomp(2) SECCOMP_SET_MODE_FILTER; the slot gets the listener, if the flags ask for one',
  },
} as const
attributeOps satisfies Record<string, OpDefinition>
