/** MIPS o32 (arch/mips/kernel/syscalls/syscall_o32.tbl, from 4000). See `parseSyscallTable`. */
export const mipsSyscalls = (): string => `
4000 syscall exit fork read write open close waitpid creat link unlink execve chdir time mknod chmod lchown break
4019 lseek getpid mount umount setuid getuid stime ptrace alarm
4029 pause utime stty gtty access nice ftime sync kill rename mkdir rmdir dup pipe times prof brk setgid getgid signal
4049 geteuid getegid acct umount2 lock ioctl fcntl mpx setpgid ulimit
4060 umask chroot ustat dup2 getppid getpgrp setsid sigaction sgetmask ssetmask setreuid setregid sigsuspend
4073 sigpending sethostname setrlimit getrlimit getrusage gettimeofday settimeofday getgroups setgroups
4083 symlink
4085 readlink uselib swapon reboot readdir mmap munmap truncate ftruncate fchmod fchown getpriority setpriority profil
4099 statfs fstatfs ioperm socketcall syslog setitimer getitimer stat lstat fstat
4110 iopl vhangup idle vm86 wait4 swapoff sysinfo ipc fsync sigreturn clone setdomainname uname modify_ldt adjtimex
4125 mprotect sigprocmask create_module init_module delete_module get_kernel_syms quotactl getpgid fchdir bdflush
4135 sysfs personality afs_syscall setfsuid setfsgid _llseek getdents _newselect flock msync readv writev cacheflush
4148 cachectl sysmips
4151 getsid fdatasync _sysctl mlock munlock mlockall munlockall sched_setparam sched_getparam sched_setscheduler
4161 sched_getscheduler sched_yield sched_get_priority_max sched_get_priority_min sched_rr_get_interval nanosleep
4167 mremap accept bind connect getpeername getsockname getsockopt listen recv recvfrom recvmsg send sendmsg sendto
4181 setsockopt shutdown socket socketpair setresuid getresuid query_module poll nfsservctl setresgid getresgid prctl
4193 rt_sigreturn rt_sigaction rt_sigprocmask rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend pread64
4201 pwrite64 chown getcwd capget capset sigaltstack sendfile getpmsg putpmsg mmap2 truncate64 ftruncate64 stat64
4214 lstat64 fstat64 pivot_root mincore madvise getdents64 fcntl64
4222 gettid readahead setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
4233 removexattr lremovexattr fremovexattr tkill sendfile64 futex sched_setaffinity sched_getaffinity io_setup
4242 io_destroy io_getevents io_submit io_cancel exit_group lookup_dcookie epoll_create epoll_ctl epoll_wait
4251 remap_file_pages set_tid_address restart_syscall fadvise64 statfs64 fstatfs64 timer_create timer_settime
4259 timer_gettime timer_getoverrun timer_delete clock_settime clock_gettime clock_getres clock_nanosleep tgkill
4267 utimes mbind get_mempolicy set_mempolicy mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr
4277 vserver waitid
4280 add_key request_key keyctl set_thread_area inotify_init inotify_add_watch inotify_rm_watch migrate_pages openat
4289 mkdirat mknodat fchownat futimesat fstatat64 unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat
4301 pselect6 ppoll unshare splice sync_file_range tee vmsplice move_pages set_robust_list get_robust_list kexec_load
4312 getcpu epoll_pwait ioprio_set ioprio_get utimensat signalfd timerfd eventfd fallocate timerfd_create
4322 timerfd_gettime timerfd_settime signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev
4332 rt_tgsigqueueinfo perf_event_open accept4 recvmmsg fanotify_init fanotify_mark prlimit64 name_to_handle_at
4340 open_by_handle_at clock_adjtime syncfs sendmmsg setns process_vm_readv process_vm_writev kcmp finit_module
4349 sched_setattr sched_getattr renameat2 seccomp getrandom memfd_create bpf execveat userfaultfd membarrier mlock2
4360 copy_file_range preadv2 pwritev2 pkey_mprotect pkey_alloc pkey_free statx rseq io_pgetevents
4393 semget semctl shmget shmctl shmat shmdt msgget msgsnd msgrcv msgctl clock_gettime64 clock_settime64
4405 clock_adjtime64 clock_getres_time64 clock_nanosleep_time64 timer_gettime64 timer_settime64 timerfd_gettime64
4411 timerfd_settime64 utimensat_time64 pselect6_time64 ppoll_time64
4416 io_pgetevents_time64 recvmmsg_time64 mq_timedsend_time64 mq_timedreceive_time64 semtimedop_time64
4421 rt_sigtimedwait_time64 futex_time64 sched_rr_get_interval_time64 pidfd_send_signal io_uring_setup io_uring_enter
4427 io_uring_register open_tree move_mount fsopen fsconfig fsmount fspick pidfd_open clone3 close_range openat2
4438 pidfd_getfd faccessat2 process_madvise epoll_pwait2 mount_setattr quotactl_fd landlock_create_ruleset
4445 landlock_add_rule landlock_restrict_self
4448 process_mrelease futex_waitv set_mempolicy_home_node cachestat fchmodat2 map_shadow_stack futex_wake futex_wait
4456 futex_requeue statmount listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat
4464 getxattrat listxattrat removexattrat open_tree_attr file_getattr file_setattr listns rseq_slice_yield
`
