/** MIPS n32 (arch/mips/kernel/syscalls/syscall_n32.tbl, from 6000). See `parseSyscallTable`. */
export const mips64n32Syscalls = (): string => `
6000 read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask ioctl
6016 pread64 pwrite64 readv writev access pipe _newselect sched_yield mremap msync mincore madvise shmget shmat shmctl
6031 dup dup2 pause nanosleep getitimer setitimer alarm getpid sendfile socket connect accept sendto recvfrom sendmsg
6046 recvmsg shutdown bind listen getsockname getpeername socketpair setsockopt getsockopt clone fork execve exit
6059 wait4 kill uname semget semop semctl shmdt msgget msgsnd msgrcv msgctl fcntl flock fsync fdatasync truncate
6075 ftruncate getdents getcwd chdir fchdir rename mkdir rmdir creat link unlink symlink readlink chmod fchmod chown
6091 fchown lchown umask gettimeofday getrlimit getrusage sysinfo times ptrace getuid syslog getgid setuid setgid
6105 geteuid getegid setpgid getppid getpgrp setsid setreuid setregid getgroups setgroups setresuid getresuid
6117 setresgid getresgid getpgid setfsuid setfsgid getsid capget capset rt_sigpending rt_sigtimedwait rt_sigqueueinfo
6128 rt_sigsuspend sigaltstack utime mknod personality ustat statfs fstatfs sysfs getpriority setpriority
6139 sched_setparam sched_getparam sched_setscheduler sched_getscheduler sched_get_priority_max sched_get_priority_min
6145 sched_rr_get_interval mlock munlock mlockall munlockall vhangup pivot_root _sysctl prctl adjtimex setrlimit
6156 chroot sync acct settimeofday mount umount2 swapon swapoff reboot sethostname setdomainname create_module
6168 init_module delete_module get_kernel_syms query_module quotactl nfsservctl getpmsg putpmsg afs_syscall
6178 gettid readahead setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
6189 removexattr lremovexattr fremovexattr tkill
6194 futex sched_setaffinity sched_getaffinity cacheflush cachectl sysmips io_setup io_destroy io_getevents io_submit
6204 io_cancel exit_group lookup_dcookie epoll_create epoll_ctl epoll_wait remap_file_pages rt_sigreturn fcntl64
6213 set_tid_address restart_syscall semtimedop fadvise64 statfs64 fstatfs64 sendfile64 timer_create timer_settime
6222 timer_gettime timer_getoverrun timer_delete clock_settime clock_gettime clock_getres clock_nanosleep tgkill
6230 utimes mbind get_mempolicy set_mempolicy mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr
6240 vserver waitid
6243 add_key request_key keyctl set_thread_area inotify_init inotify_add_watch inotify_rm_watch migrate_pages openat
6252 mkdirat mknodat fchownat futimesat newfstatat unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat
6264 pselect6 ppoll unshare splice sync_file_range tee vmsplice move_pages set_robust_list get_robust_list kexec_load
6275 getcpu epoll_pwait ioprio_set ioprio_get utimensat signalfd timerfd eventfd fallocate timerfd_create
6285 timerfd_gettime timerfd_settime signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev
6295 rt_tgsigqueueinfo perf_event_open accept4 recvmmsg getdents64 fanotify_init fanotify_mark prlimit64
6303 name_to_handle_at open_by_handle_at clock_adjtime syncfs sendmmsg setns process_vm_readv process_vm_writev kcmp
6312 finit_module sched_setattr sched_getattr renameat2 seccomp getrandom memfd_create bpf execveat userfaultfd
6322 membarrier mlock2 copy_file_range preadv2 pwritev2 pkey_mprotect pkey_alloc pkey_free statx rseq io_pgetevents
6403 clock_gettime64 clock_settime64 clock_adjtime64 clock_getres_time64 clock_nanosleep_time64 timer_gettime64
6409 timer_settime64 timerfd_gettime64 timerfd_settime64 utimensat_time64 pselect6_time64 ppoll_time64
6416 io_pgetevents_time64 recvmmsg_time64 mq_timedsend_time64 mq_timedreceive_time64 semtimedop_time64
6421 rt_sigtimedwait_time64 futex_time64 sched_rr_get_interval_time64 pidfd_send_signal io_uring_setup io_uring_enter
6427 io_uring_register open_tree move_mount fsopen fsconfig fsmount fspick pidfd_open clone3 close_range openat2
6438 pidfd_getfd faccessat2 process_madvise epoll_pwait2 mount_setattr quotactl_fd landlock_create_ruleset
6445 landlock_add_rule landlock_restrict_self
6448 process_mrelease futex_waitv set_mempolicy_home_node cachestat fchmodat2 map_shadow_stack futex_wake futex_wait
6456 futex_requeue statmount listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat
6464 getxattrat listxattrat removexattrat open_tree_attr file_getattr file_setattr listns rseq_slice_yield
`
