import type { JsonObject } from '../../oci/json.ts'

/**
 * System calls that every container may make. What is not here, or below with its capability or its arguments, fails with
 * EPERM, or with ENOSYS where it is newer than the newest one here. Such are:
 *
 * - keys of the kernel, which belong to a user and to no container: `keyctl`, `add_key`, `request_key`;
 * - calls that have let programs out through faults of the kernel, and that few programs need: `io_uring_*`, `userfaultfd`;
 * - the machine's own affairs: `kexec_load`, `swapon`, `bdflush`, `pciconfig_*`, `pivot_root`, `move_pages`, `nfsservctl`;
 * - security modules that are stacked by a program itself: `lsm_set_self_attr`;
 * - calls that were removed, or that no libc has used for decades: `uselib`, `sysfs`, `ustat`, `vm86`, `oldstat` ...
 */
const allowed = `
_llseek _newselect accept accept4 access adjtimex alarm arm_fadvise64_64 arm_sync_file_range bind breakpoint brk
cacheflush cachestat capget capset chdir chmod chown chown32 clock_adjtime clock_adjtime64 clock_getres
clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect
copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2
epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64
fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr
file_getattr file_setattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync
ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list
get_thread_area get_tls getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups
getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid
getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat
inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents
io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset
landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount listxattr listxattrat llistxattr
lremovexattr lseek lsetxattr lsm_get_self_attr lsm_list_modules lstat lstat64 madvise map_shadow_stack membarrier
memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr
mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl
msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat nice open openat openat2
pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64
preadv preadv2 prlimit64 process_mrelease pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read readahead readdir
readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat
rename renameat renameat2 restart_syscall rmdir rseq rseq_slice_yield rt_sigaction rt_sigpending rt_sigprocmask
rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo
sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler
sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg
sendto set_robust_list set_thread_area set_tid_address set_tls setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32
setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32
setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown
sigaction sigaltstack signal signalfd signalfd4 sigpending sigprocmask sigreturn sigsuspend socketcall socketpair splice
stat stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time
timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask
uname unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev`

/** System calls that a capability is for: without it the kernel refuses them too, or hides its faults behind it. */
const withCapability: Readonly<Record<string, string>> = {
  CAP_SYS_ADMIN:
    'bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare',
  CAP_BPF: 'bpf',
  CAP_PERFMON: 'perf_event_open',
  CAP_SYSLOG: 'syslog',
  CAP_DAC_READ_SEARCH: 'open_by_handle_at',
  CAP_SYS_BOOT: 'reboot',
  CAP_SYS_CHROOT: 'chroot',
  CAP_SYS_MODULE: 'delete_module finit_module init_module',
  CAP_SYS_NICE: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node',
  CAP_SYS_PACCT: 'acct',
  CAP_SYS_PTRACE: 'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace',
  CAP_SYS_RAWIO: 'ioperm iopl',
  CAP_SYS_TIME: 'clock_settime clock_settime64 settimeofday stime',
  CAP_SYS_TTY_CONFIG: 'vhangup',
}

const [allow, fail] = ['SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO']
const [EPERM, ENOSYS] = [1, 38]
const wordsOf = (text: string): readonly string[] => text.trim().split(/\s+/)

/** The flags of clone(2) for namespaces, CLONE_NEWNS to CLONE_NEWNET: sched.h. */
const newNamespaces = 0x7e020000
/** `socket`: AF_ALG, whose code in the kernel has had its faults, and AF_VSOCK, which leads to the hypervisor and not to a network. */
const [familyAlg, familyVsock] = [38, 40]
/** `personality`: PER_LINUX, PER_LINUX32, both with UNAME26, and the question for the present one. */
const personalities = [0, 8, 0x20000, 0x20008, 0xffffffff]

const first = (op: string, value: number, valueTwo = 0): JsonObject => ({ index: 0, value, valueTwo, op })

/**
 * The profile of hosts without containers-common: a list of what is allowed, in the form of docker's and podman's profiles. It
 * denies what docker's denies.
 */
export function ownSeccompProfile(): JsonObject {
  const rule = (names: string, more: JsonObject = {}): JsonObject => ({ names: wordsOf(names), action: allow, ...more })
  const admin = { caps: ['CAP_SYS_ADMIN'] }
  return {
    defaultAction: fail,
    defaultErrnoRet: EPERM,
    archMap: [
      { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
      { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
    ],
    syscalls: [
      rule(allowed),
      rule('arch_prctl modify_ldt', { includes: { arches: ['amd64'] } }),
      // Before this version a tracer could change a call after the filter had seen it.
      rule('process_vm_readv process_vm_writev ptrace', { includes: { minKernel: '4.8' } }),
      ...personalities.map((value) => rule('personality', { args: [first('SCMP_CMP_EQ', value)] })),
      rule('socket', { args: [first('SCMP_CMP_LT', familyAlg)] }),
      rule('socket', { args: [first('SCMP_CMP_EQ', familyAlg + 1)] }),
      rule('socket', { args: [first('SCMP_CMP_GT', familyVsock)] }),
      ...Object.entries(withCapability).map(([name, names]) => rule(names, { includes: { caps: [name] } })),
      rule('clone', { args: [first('SCMP_CMP_MASKED_EQ', newNamespaces)], excludes: admin }),
      // Its flags are in memory, where no filter looks: libc then uses clone.
      rule('clone3', { action: fail, errnoRet: ENOSYS, excludes: admin }),
    ],
  }
}
