import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ownSeccompProfile } from '../../src/bundle/changes/own-seccomp-profile.ts'
import { defaultSeccompProfile, parseSeccompProfile } from '../../src/bundle/changes/seccomp-profile.ts'
import { aarch64Syscalls } from '../../src/compile/seccomp/syscalls/aarch64.ts'
import { armSyscalls } from '../../src/compile/seccomp/syscalls/arm.ts'
import { parseSyscallTable } from '../../src/compile/seccomp/syscalls/table.ts'
import { x86Syscalls } from '../../src/compile/seccomp/syscalls/x86.ts'
import { x86_64Syscalls } from '../../src/compile/seccomp/syscalls/x86-64.ts'
import { requires } from '../requirements.ts'

/** All that no capability opens. A call that the tables gain is put here, or in the profile, by somebody who knows it. */
const never = `
_sysctl add_key afs_syscall bdflush break create_module ftime get_kernel_syms getpmsg gtty idle io_uring_enter io_uring_register
io_uring_setup kexec_file_load kexec_load keyctl listns lock lsm_set_self_attr migrate_pages move_pages mpx nfsservctl oldfstat
oldlstat oldolduname oldstat olduname open_tree_attr pciconfig_iobase pciconfig_read pciconfig_write pivot_root prof profil
putpmsg query_module request_key security sgetmask ssetmask stty swapoff swapon sysfs tuxcall ulimit uprobe uselib userfaultfd
usr26 usr32 ustat vm86 vm86old vserver`

const tables = [x86_64Syscalls, x86Syscalls, aarch64Syscalls, armSyscalls]
const known = new Set(tables.flatMap((table) => Object.keys(parseSyscallTable(table()))))

interface Rule {
  readonly names: readonly string[]
  readonly action: string
}
const namesOf = (rules: readonly Rule[]): readonly string[] =>
  rules.filter(({ action }) => action === 'SCMP_ACT_ALLOW').flatMap(({ names }) => names)

test('every system call of the tables is allowed, or denied by intention', () => {
  const allowed = namesOf(ownSeccompProfile().syscalls as readonly Rule[])
  const denied = never.trim().split(/\s+/)
  expect([...known].filter((name) => !allowed.includes(name)).sort()).toEqual(denied.sort())
  expect(allowed.filter((name) => !known.has(name))).toEqual([])
})

test.each([
  ['x64', ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'], true],
  ['arm64', ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'], false],
])('the profile for %s has its architectures and its own calls', (architecture, architectures, hasArchPrctl) => {
  const filter = defaultSeccompProfile(undefined).filter({ architecture, kernel: '6.1.0' }, [])
  expect(filter.architectures).toEqual(architectures)
  expect(namesOf(filter.syscalls ?? []).includes('arch_prctl')).toBe(hasArchPrctl)
})

test('a profile can have the error of its default action by name alone', () => {
  const filter = (document: object) =>
    parseSeccompProfile(JSON.stringify(document)).filter({ architecture: 'x64', kernel: '6.1' }, [])
  expect(filter({ defaultAction: 'SCMP_ACT_ERRNO', defaultErrno: 'ENOSYS' }).defaultErrnoRet).toBe(38)
  expect(filter({ defaultAction: 'SCMP_ACT_ERRNO', defaultErrno: 'ENOSYS', defaultErrnoRet: 1 }).defaultErrnoRet).toBe(
    1,
  )
  expect(() => filter({ defaultAction: 'SCMP_ACT_ERRNO', defaultErrno: 'ENONE' })).toThrow('no error "ENONE"')
})

requires('/usr/share/containers/seccomp.json').test(
  'what is allowed beyond the profile of podman is newer than that',
  () => {
    const platform = { architecture: 'x64', kernel: '6.1.0' }
    const theirs = namesOf(
      defaultSeccompProfile(readFileSync('/usr/share/containers/seccomp.json', 'utf8')).filter(platform, []).syscalls ??
        [],
    )
    const ours = namesOf(defaultSeccompProfile(undefined).filter(platform, []).syscalls ?? [])
    const newer = `cachestat fchmodat2 file_getattr file_setattr futex_requeue futex_wait futex_waitv futex_wake get_tls getxattrat
io_pgetevents io_pgetevents_time64 listmount listxattrat lsm_get_self_attr lsm_list_modules map_shadow_stack mseal nice
removexattrat rseq_slice_yield setxattrat statmount uretprobe vmsplice arm_fadvise64_64 arm_sync_file_range breakpoint
cacheflush set_tls`
    const beyond = ours.filter((name) => !theirs.includes(name))
    expect(newer.split(/\s+/)).toEqual(expect.arrayContaining(beyond))
  },
)
