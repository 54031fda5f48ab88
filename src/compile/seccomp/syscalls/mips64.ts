/** MIPS n64 (arch/mips/kernel/syscalls/syscall_n64.tbl, from 5000). See `parseSyscallTable`. */
export const mips64Syscalls = (): string => `
5000 read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask ioctl
5016 pread64 pwrite64 readv writev access pipe _newselect sched_yield mremap msync mincore madvise shmget shmat shmctl
5031 dup dup2 pause nanosleep getitimer setitimer alarm getpid sendfile socket connect accept sendto recvfrom sendmsg
5046 recvmsg shutdown bind listen getsockname getpeername socketpair setsockopt getsockopt clone fork execve exit
5059 wait4 kill uname semget semop semctl shmdt msgget msgsnd msgrcv msgctl fcntl flock fsync fdatasync truncate
5075 ftruncate getdents getcwd chdir fchdir rename mkdir rmdir creat link unlink symlink readlink chmod fchmod chown
5091 fchown lchown umask gettimeofday getrlimit getrusage sysinfo times ptrace getuid syslog getgid setuid setgid
5105 geteuid getegid setpgid getppid getpgrp setsid setreuid setregid getgroups setgroups setresuid getresuid
5117 setresgid getresgid getpgid setfsuid setfsgid getsid capget capset rt_sigpending rt_sigtimedwait rt_sigqueueinfo
5128 rt_sigsuspend sigaltstack utime mknod personality ustat statfs fstatfs sysfs getpriority setpriority
5139 sched_setparam sched_getparam sched_setscheduler sched_getscheduler sched_get_priority_max sched_get_priority_min
5145 sched_rr_get_interval mlock munlock mlockall munlockall vhangup pivot_root _sysctl prctl adjtimex setrlimit
5156 chroot sync acct settimeofday mount umount2 swapon swapoff reboot sethostname setdomainname create_module
5168 init_module delete_module get_kernel_syms query_module quotactl nfsservctl getpmsg putpmsg afs_syscall
5178 gettid readahead setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
5189 removexattr lremovexattr fremovexattr tkill
5194 futex sched_setaffinity sched_getaffinity cacheflush cachectl sysmips io_setup io_destroy io_getevents io_submit
5204 io_cancel exit_group lookup_dcookie epoll_create epoll_ctl epoll_wait remap_file_pages rt_sigreturn
5212 set_tid_address restart_syscall semtimedop fadvise64 timer_create timer_settime timer_gettime timer_getoverrun
5220 timer_delete clock_settime clock_gettime clock_getres clock_nanosleep tgkill utimes mbind get_mempolicy
5229 set_mempolicy mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr vserver waitid
5239 add_key request_key keyctl set_thread_area inotify_init inotify_add_watch inotify_rm_watch migrate_pages openat
5248 mkdirat mknodat fchownat futimesat newfstatat unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat
5260 pselect6 ppoll unshare splice sync_file_range tee vmsplice move_pages set_robust_list get_robust_list kexec_load
5271 getcpu epoll_pwait ioprio_set ioprio_get utimensat signalfd timerfd eventfd fallocate timerfd_create
5281 timerfd_gettime timerfd_settime signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev
5291 rt_tgsigqueueinfo perf_event_open accept4 recvmmsg fanotify_init fanotify_mark prlimit64 name_to_handle_at
5299 open_by_handle_at clock_adjtime syncfs sendmmsg setns process_vm_readv process_vm_writev kcmp finit_module
5308 getdents64 sched_setattr sched_getattr renameat2 seccomp getrandom memfd_create bpf execveat userfaultfd
5318 membarrier mlock2 copy_file_range preadv2 pwritev2 pkey_mprotect pkey_alloc pkey_free statx rseq io_pgetevents
5424 pidfd_send_signal io_uring_setup io_uring_enter io_uring_register open_tree move_mount fsopen fsconfig fsmount
5433 fspick pidfd_open clone3 close_range openat2 pidfd_getfd faccessat2 process_madvise epoll_pwait2 mount_setattr
5443 quotactl_fd landlock_create_ruleset landlock_add_rule landlock_restrict_self
5448 process_mrelease futex_waitv set_mempolicy_home_node cachestat fchmodat2 map_shadow_stack futex_wake futex_wait
5456 futex_requeue statmount listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat
5464 getxattrat listxattrat removexattrat open_tree_attr file_getattr file_setattr listns rseq_slice_yield
`
