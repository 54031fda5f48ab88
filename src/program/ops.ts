/**
 * The op table: the only declaration of what the runner can do.
 *
 * `native/runner/ops.h` (the enum, the dispatch table, the operand kinds that the loader checks), `src/program/README.md`, the
 * encoder and `explain` are all derived from it. A number is never reused; a new op goes to the end of its group.
 */

/** The kind of an operand, which decides how it is encoded and how `explain` shows it. */
export type OperandKind =
  | 'slot' // a descriptor from an earlier step; null: the current directory, or none
  | 'newSlot' // the slot that this step fills; a descriptor that is in it is closed
  | 'text' // a string that may name registers
  | 'string' // a string without registers; null: none
  | 'list' // strings, for argv and envp
  | 'bytes' // binary data with its length
  | 'decimal'
  | 'octal'
  | 'hex'
  | 'id' // a uid or gid
  | 'barrier' // a place where two processes meet, by its name in the contract
  | FlagKind

/** Integers shown as names; `src/program/flags.ts` has the names. */
export type FlagKind =
  | 'openFlags'
  | 'mountFlags'
  | 'mountAttributes'
  | 'cloneFlags'
  | 'treeFlags'
  | 'resolveKind'
  | 'resource'
  | 'capabilities'
  | 'prctl'

export interface OpDefinition {
  readonly number: number
  readonly operands: Readonly<Record<string, OperandKind>>
  /**
   * The system call of an op that is only one, which the runner makes from this description. An argument is the name of an
   * operand, `#` and a name for an operand's length, or a constant of C; the others are 0. Other ops have a C function.
   */
  readonly syscall?: readonly [name: string, ...rest: string[]]
  /** The effect of the op, for the documentation. */
  readonly does: string
}

export const ops = {
  // Files and directories: `at` and a relative path, or no `at` and an absolute one.
  open: {
    number: 1,
    operands: { to: 'newSlot', at: 'slot', path: 'text', flags: 'openFlags' },
    does: 'openat(2), always with O_CLOEXEC',
  },
  close: { number: 2, operands: { slot: 'slot' }, does: 'close(2)' },
  mkdir: {
    number: 3,
    operands: { at: 'slot', path: 'text', mode: 'octal' },
    syscall: ['mkdirat', 'at', 'path', 'mode'],
    does: 'mkdirat(2)',
  },
  rmdir: {
    number: 4,
    operands: { at: 'slot', path: 'text' },
    syscall: ['unlinkat', 'at', 'path', 'AT_REMOVEDIR'],
    does: 'unlinkat(2) with AT_REMOVEDIR',
  },
  unlink: {
    number: 5,
    operands: { at: 'slot', path: 'text' },
    syscall: ['unlinkat', 'at', 'path'],
    does: 'unlinkat(2)',
  },
  rename: {
    number: 6,
    operands: { at: 'slot', from: 'text', to: 'text' },
    syscall: ['renameat2', 'at', 'from', 'at', 'to'],
    does: 'renameat(2)',
  },
  mknod: {
    number: 7,
    operands: { at: 'slot', path: 'text', mode: 'octal', major: 'decimal', minor: 'decimal' },
    does: 'mknodat(2): a device or a FIFO',
  },
  chown: {
    number: 8,
    operands: { at: 'slot', path: 'text', uid: 'id', gid: 'id' },
    syscall: ['fchownat', 'at', 'path', 'uid', 'gid', 'AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH'],
    does: 'fchownat(2) with AT_SYMLINK_NOFOLLOW; an empty path means `at` itself',
  },
  symlink: {
    number: 9,
    operands: { target: 'string', at: 'slot', path: 'text' },
    syscall: ['symlinkat', 'target', 'at', 'path'],
    does: 'symlinkat(2)',
  },
  write_file: {
    number: 10,
    operands: { at: 'slot', path: 'text', content: 'text', flags: 'openFlags', mode: 'octal' },
    does: 'openat(2), one write(2) of the whole content, close(2)',
  },
  write_lines: {
    number: 16,
    operands: { path: 'text', lines: 'list' },
    does: 'openat(2), a write(2) of each line, close(2)',
  },
  setxattr: {
    number: 11,
    operands: { at: 'slot', path: 'string', name: 'string', value: 'bytes' },
    does: 'lsetxattr(2) beneath `at`, through no symbolic link',
  },
  utimens: {
    number: 12,
    operands: { at: 'slot', path: 'string', seconds: 'decimal', nanoseconds: 'decimal' },
    does: 'utimensat(2) of both times beneath `at`, through no symbolic link; on the link itself if the path is one',
  },
  make_node: {
    number: 13,
    operands: { at: 'slot', path: 'string', mode: 'octal', uid: 'id', gid: 'id', device: 'hex' },
    does: 'mknodat(2), fchownat(2) and the exact mode, beneath `at` and through no symbolic link',
  },
  remove_directory: {
    number: 14,
    operands: { path: 'text' },
    does: 'unlinkat(2) of each entry of a directory, state.json last, and of the directory',
  },
  list_xattrs: {
    number: 15,
    operands: { at: 'slot', path: 'string', to: 'slot' },
    does: 'llistxattr(2) and lgetxattr(2) beneath `at`, through no symbolic link: lengths, name and value of each to `to`',
  },

  // Control groups.
  copy_if_empty: {
    number: 20,
    operands: { from: 'text', to: 'text' },
    does: "copies a control file's content when the target's is empty (cpuset on cgroup v1)",
  },
  cgroup_make: {
    number: 27,
    operands: { path: 'text', levels: 'decimal' },
    does: 'mkdir(2) of a cgroup, and of those of `levels` levels above it that are missing; EBUSY if it exists with a process in it',
  },
  enable_controllers: {
    number: 21,
    operands: { path: 'text' },
    does: 'enables the controllers of a cgroup (cgroup.controllers) for its children: all at once, or each that the kernel accepts',
  },
  expect_not: {
    number: 22,
    operands: { path: 'text', content: 'string', unlessMade: 'decimal' },
    does: 'fails with EBUSY if the file starts with the content: the cgroup is frozen, or threaded; not read if unlessMade is 1 and cgroup_make has just made it',
  },
  cgroup_remove: {
    number: 23,
    operands: { path: 'text' },
    does: 'rmdir(2) of a cgroup and those below it, repeated on EBUSY for two seconds at most',
  },
  cgroup_kill: {
    number: 24,
    operands: { path: 'text' },
    does: 'rmdir(2) of a cgroup, or SIGKILL to its processes, until there are none, for two seconds at most',
  },
  report_file: {
    number: 26,
    operands: { path: 'text' },
    does: 'adds the content of a file, such as memory.events, to the report of a failure, to tell if the kernel killed the new process',
  },
  device_filter: {
    number: 25,
    operands: { cgroup: 'slot', instructions: 'bytes' },
    does: 'bpf(2) BPF_PROG_LOAD of a device filter, and BPF_PROG_ATTACH to the cgroup',
  },

  // Processes and namespaces.
  clone: {
    number: 30,
    operands: { flags: 'cloneFlags', cgroup: 'slot' },
    does: 'clone3(2), or clone(2): starts the next phase in a new process, in the cgroup if one is given',
  },
  setns: {
    number: 31,
    operands: { slot: 'slot', type: 'cloneFlags' },
    syscall: ['setns', 'slot', 'type'],
    does: 'setns(2)',
  },
  open_pidfd: { number: 29, operands: { to: 'newSlot' }, does: 'pidfd_open(2) of the new process' },
  unshare: { number: 32, operands: { flags: 'cloneFlags' }, syscall: ['unshare', 'flags'], does: 'unshare(2)' },
  sync_send: { number: 33, operands: { barrier: 'barrier' }, does: 'lets the other side pass the barrier' },
  sync_wait: {
    number: 34,
    operands: { barrier: 'barrier' },
    does: 'waits until the other side reaches the barrier; fails if that process is gone',
  },
  sync_within: {
    number: 28,
    operands: { barrier: 'barrier', timeoutMs: 'decimal' },
    does: 'sync_wait with a timeout',
  },
  identify: {
    number: 35,
    operands: {},
    does: 'sets the registers `start_time` (field 22 of /proc/PID/stat) and `created` for the new process',
  },
  kill_child: { number: 36, operands: {}, does: 'SIGKILL to the new process, waits until it is gone' },
  ready: { number: 37, operands: {}, does: 'reports the new process: the container is created' },
  supervise: {
    number: 38,
    operands: { terminal: 'slot', keep: 'decimal' },
    does: 'forwards signals and relays the terminal until the container has exited; then runs the undo steps, unless keep is 1',
  },
  spawn: {
    number: 39,
    operands: {
      path: 'string',
      argv: 'list',
      env: 'list',
      input: 'text',
      timeoutMs: 'decimal',
      inheritEnv: 'decimal',
    },
    does: 'runs a program with `input` on its stdin; fails unless it exits with 0 before the timeout (-1: none). inheritEnv: 1 for the environment of the runner, 2 for the one that Node.js is started with',
  },
  setsid: { number: 40, operands: {}, syscall: ['setsid'], does: 'setsid(2)' },
  session_keyring: {
    number: 41,
    operands: { name: 'text', permissions: 'hex' },
    does: 'keyctl(2) KEYCTL_JOIN_SESSION_KEYRING, and KEYCTL_SETPERM to add the permissions',
  },
  prlimit: {
    number: 42,
    operands: { resource: 'resource', soft: 'decimal', hard: 'decimal' },
    does: 'prlimit(2) on the new process in the phase host, else on the process itself',
  },
  spawn_id_map: {
    number: 43,
    operands: { helper: 'string', map: 'list' },
    does: 'runs newuidmap(1) or newgidmap(1) with the pid of the new process and the map',
  },
  sync_closed: {
    number: 44,
    operands: {},
    does: 'waits until the other side has executed its command, which closes its socket; fails if execve(2) failed',
  },
  expect_process: {
    number: 45,
    operands: { process: 'slot', startTime: 'decimal' },
    does: 'fails with ESRCH unless this /proc/PID belongs to the process with this start time: a pid may be reused',
  },
  expect_other: {
    number: 114,
    operands: { slot: 'slot', path: 'string' },
    does: "fails with EEXIST if the descriptor and the path are the same file: the caller's own namespace",
  },
  set_scheduler: {
    number: 46,
    operands: { attributes: 'bytes' },
    syscall: ['sched_setattr', '0', 'attributes'],
    does: 'sched_setattr(2)',
  },
  set_io_priority: {
    number: 47,
    operands: { value: 'decimal' },
    syscall: ['ioprio_set', '1', '0', 'value'],
    does: 'ioprio_set(2)',
  },
  set_affinity: {
    number: 48,
    operands: { cpus: 'bytes' },
    syscall: ['sched_setaffinity', '0', '#cpus', 'cpus'],
    does: 'sched_setaffinity(2)',
  },
  wait_exit: {
    number: 107,
    operands: { pid: 'decimal', startTime: 'decimal' },
    does: "waits for the end of the process with this start time, also if it is not a child, and reports its status as the container's; ENODATA if the status cannot be known",
  },
  set_memory_policy: {
    number: 49,
    operands: { mode: 'hex', nodes: 'bytes' },
    does: 'set_mempolicy(2)',
  },

  // Mounts. A path inside the rootfs is resolved once (`resolve`), then used by descriptor.
  resolve: {
    number: 50,
    operands: { to: 'newSlot', root: 'slot', path: 'string', kind: 'resolveKind', mode: 'octal' },
    does: 'openat2(2) with RESOLVE_IN_ROOT and O_PATH, or a walk by component; makes missing components for kinds that allow it',
  },
  mount: {
    number: 51,
    operands: {
      source: 'string',
      target: 'slot',
      path: 'string',
      type: 'string',
      flags: 'mountFlags',
      data: 'string',
    },
    does: 'mount(2) on a descriptor (`path` is only shown), or on the path if there is none',
  },
  open_tree: {
    number: 52,
    operands: { to: 'newSlot', at: 'slot', path: 'text', flags: 'treeFlags' },
    does: 'open_tree(2): a detached copy of a mount; an empty path means `at` itself',
  },
  mount_setattr: {
    number: 53,
    operands: {
      slot: 'slot',
      flags: 'treeFlags',
      set: 'mountAttributes',
      clear: 'mountAttributes',
      propagation: 'mountFlags',
      userns: 'slot',
    },
    does: 'mount_setattr(2)',
  },
  move_mount: {
    number: 54,
    operands: { from: 'slot', to: 'slot', name: 'string', path: 'string' },
    does: 'move_mount(2): attaches a detached mount on a descriptor, or on a name in that directory (`path` is only shown)',
  },
  new_mount: {
    number: 55,
    operands: { to: 'newSlot', type: 'string', options: 'list', attributes: 'mountAttributes' },
    does: 'fsopen(2), fsconfig(2) for each pair of options, fsmount(2): a detached mount',
  },
  pivot_root: {
    number: 56,
    operands: { root: 'slot' },
    does: 'fchdir(2), pivot_root(".", "."), mount(2) MS_SLAVE and umount2(2) MNT_DETACH of the old root, chdir("/")',
  },
  chroot: { number: 57, operands: { root: 'slot' }, does: 'fchdir(2), chroot("."), chdir("/")' },
  move_root: {
    number: 58,
    operands: { root: 'slot' },
    does: 'fchdir(2), mount(".", "/", MS_MOVE), chroot("."), chdir("/")',
  },
  mask: {
    number: 59,
    operands: { root: 'slot', path: 'string', file: 'slot', directory: 'slot' },
    does: 'covers a path of the rootfs by a copy of the mount `file` or `directory`, according to its type',
  },
  readonly_path: {
    number: 60,
    operands: { root: 'slot', path: 'string' },
    does: 'a read-only recursive bind of a path of the rootfs on itself',
  },
  resolve_like: {
    number: 63,
    operands: { to: 'newSlot', root: 'slot', path: 'string', like: 'slot' },
    does: 'as resolve; a missing end of the path is made, as a directory or a file according to the type of `like`',
  },
  bind_flags: {
    number: 64,
    operands: { slot: 'slot', set: 'mountAttributes', clear: 'mountAttributes', atLeast: 'mountAttributes' },
    does: 'mount_setattr(2) that sets `set` and clears `clear`, or only `atLeast` if flags of the source are locked',
  },
  make_userns: {
    number: 65,
    operands: { to: 'newSlot', uidMap: 'string', gidMap: 'string' },
    does: 'makes a user namespace with these maps, in a short-lived process, for an ID-mapped mount',
  },
  mount_tmpfs: {
    number: 66,
    operands: { root: 'slot', path: 'string', source: 'string', flags: 'mountFlags', data: 'string' },
    does: 'mount(2) of a tmpfs with the mode of the directory that it covers, if that existed before',
  },
  set_propagation: {
    number: 69,
    operands: { slot: 'slot', flags: 'mountFlags' },
    does: 'mount(2) with MS_PRIVATE or another propagation on the mount that contains a directory',
  },
  umount: {
    number: 68,
    operands: { path: 'string' },
    does: 'mount(2) MS_SLAVE, then umount2(2) with MNT_DETACH, so that it is unmounted only in this namespace',
  },
  copy_tree: {
    number: 67,
    operands: { from: 'slot', to: 'slot' },
    does: 'copies the content of a directory, with owners, modes and times, also those of the directory itself',
  },
  expect_device: {
    number: 61,
    operands: { slot: 'slot', mode: 'octal', major: 'decimal', minor: 'decimal' },
    does: 'fails with ENODEV unless the descriptor is this device',
  },
  expect_filesystem: {
    number: 62,
    operands: { slot: 'slot', magic: 'hex' },
    does: 'fails with EXDEV unless the descriptor is on a filesystem of this type',
  },

  // Names, network, and attributes of the process.
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
  loopback_up: { number: 72, operands: {}, does: 'brings the loopback interface up: ioctl(2) SIOCSIFFLAGS' },
  netlink_socket: { number: 88, operands: { to: 'newSlot' }, does: 'socket(2) AF_NETLINK, NETLINK_ROUTE' },
  netlink_request: {
    number: 89,
    operands: { socket: 'slot', request: 'bytes', interface: 'string', netns: 'slot' },
    does: 'sends a request of rtnetlink(7) after filling in the number of the interface, and the namespace if there is one',
  },
  save_interface: {
    number: 95,
    operands: { to: 'newSlot', socket: 'slot', interface: 'string' },
    does: 'saves the permanent addresses of global scope of an interface, and its state up or down, as requests for restore_interface',
  },
  restore_interface: {
    number: 96,
    operands: { socket: 'slot', interface: 'string', saved: 'slot' },
    does: 'sends the requests that save_interface has saved',
  },
  expect_no_interface: {
    number: 97,
    operands: { socket: 'slot', interface: 'string' },
    does: 'fails with EEXIST if there is an interface of this name',
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
  chown_stdio: {
    number: 82,
    operands: { uid: 'id' },
    does: 'fchown(2) of the descriptors 0 to 2 that are not a null device, so that the user may reopen them',
  },
  prepare_stdio: {
    number: 120,
    operands: { relay: 'decimal', uid: 'id', gid: 'id' },
    does: 'fails with EISDIR if descriptor 0, 1 or 2 is a directory; fchown(2) of pipes; if relay is 1, replaces others than pipes, sockets and null devices by a pipe, and relays it during every later wait',
  },
  take_stdio: {
    number: 121,
    operands: {},
    does: 'dup3(2) of the pipes that prepare_stdio has made onto the descriptors 0 to 2',
  },
  expect_descriptors: {
    number: 122,
    operands: { count: 'decimal' },
    does: 'fails with EMFILE if RLIMIT_NOFILE is lower, before later steps make things that could then not be undone',
  },
  reopen_null: {
    number: 83,
    operands: { root: 'slot' },
    does: "dup3(2) of the container's /dev/null onto the descriptors 0 to 2 that are a null device",
  },

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

  // Terminal.
  open_pty: {
    number: 90,
    operands: { controller: 'newSlot', terminal: 'newSlot', ptmx: 'slot', rows: 'decimal', columns: 'decimal' },
    does: 'opens both ends of a terminal by descriptor: reopens ptmx, TIOCSPTLCK, TIOCGPTPEER, TIOCSWINSZ',
  },
  expect_terminal: {
    number: 108,
    operands: {},
    does: "fails with ENOTTY unless one of the caller's descriptors 0 to 2 is a terminal, or the caller has a controlling terminal, which does not count if the container ends with its caller",
  },
  set_terminal: { number: 91, operands: { terminal: 'slot' }, does: 'ioctl(2) TIOCSCTTY, dup3(2) to 0, 1 and 2' },
  connect: {
    number: 92,
    operands: { to: 'newSlot', path: 'text' },
    does: 'socket(2), connect(2) to a unix socket, with a timeout of ten seconds',
  },
  send_fd: {
    number: 93,
    operands: { socket: 'slot', slot: 'slot', name: 'text' },
    does: 'sendmsg(2) of a descriptor with a name; without a socket, to the other side',
  },
  bind: {
    number: 98,
    operands: { to: 'newSlot', path: 'string' },
    does: 'socket(2), bind(2): a unix datagram socket to which everybody may write',
  },
  notify_relay: {
    number: 99,
    operands: { socket: 'slot', host: 'string', process: 'string', mainPid: 'text', background: 'decimal' },
    does: "forwards READY= of sd_notify(3) to the host's socket, with MAINPID= and BARRIER=1, until the process ends (none: the new process); with background 1 in a separate process",
  },
  receive_fd: { number: 94, operands: { to: 'newSlot' }, does: 'recvmsg(2) of a descriptor from the other side' },

  // CRIU.
  criu_start: {
    number: 110,
    operands: { to: 'newSlot', path: 'string' },
    does: 'runs "criu swrk" on a socket, with the descriptors that the runner has inherited, as the new process',
  },
  criu_directory: {
    number: 113,
    operands: { path: 'string', fd: 'decimal' },
    does: 'openat(2) of a directory, which replaces an inherited descriptor',
  },
  criu_send: { number: 111, operands: { socket: 'slot', message: 'bytes' }, does: 'write(2) of a message to CRIU' },
  criu_wait: {
    number: 112,
    operands: { terminal: 'newSlot', socket: 'slot', script: 'string' },
    does: 'waits for the notification of CRIU with this name, which has the pid of the new process (none: for its end); the slot gets a terminal that it sends',
  },

  // The end.
  default_home: {
    number: 100,
    operands: { uid: 'id', env: 'list' },
    does: 'adds HOME to the environment, from /etc/passwd, or "/" if the user is not in it',
  },
  find_command: {
    number: 101,
    operands: { name: 'string', path: 'string' },
    does: 'finds the executable as execvp(3) does, so that a missing one fails the create; without a name, that of the command of `exec`',
  },
  wait_start: {
    number: 102,
    operands: { fds: 'slot', fifo: 'slot' },
    does: 'opens the FIFO for writing through /proc/self/fd, which blocks until `start` opens it, and writes one byte',
  },
  exit_on_signals: {
    number: 106,
    operands: {},
    does: 'rt_sigaction(2), rt_sigprocmask(2): SIGHUP, SIGINT, SIGQUIT, SIGABRT and SIGTERM end the process, also as PID 1',
  },
  close_slots: {
    number: 105,
    operands: { first: 'slot', second: 'slot' },
    does: 'close(2) of every slot but these two, so that a container that waits to be started has nothing of the host open',
  },
  close_from: {
    number: 103,
    operands: { first: 'decimal' },
    does: "close_range(2) of all descriptors from `first` on but the runner's own, which are marked close-on-exec; before Linux 5.11 all are marked, through /proc/self/fd",
  },
  execve: {
    number: 104,
    operands: { argv: 'list', env: 'list' },
    does: 'execve(2) of the executable that find_command has found; an empty argv means the arguments of `exec`',
  },
} as const
ops satisfies Record<string, OpDefinition>

export type OpName = keyof typeof ops

/**
 * Values that are known only when the program runs; a `text` operand may contain them. The index of each is its number.
 * `pid_file` and `console_socket` are the values of --pid-file and --console-socket, so that one kept program serves all
 * values. `boot_ticks` is the time since boot in clock ticks, as in /proc/PID/stat.
 */
export const registers = [
  'id',
  'pid',
  'start_time',
  'created',
  'own_pid',
  'pid_file',
  'console_socket',
  'boot_ticks',
] as const
export type RegisterName = (typeof registers)[number]

/** The errors that a step may tolerate, with their errno on Linux; each has a bit, in this order. */
export const tolerableErrors = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENOTDIR: 20,
  EINVAL: 22,
  EROFS: 30,
  ENOSYS: 38,
  EOPNOTSUPP: 95,
  EDQUOT: 122,
  ECONNREFUSED: 111,
} as const
export type TolerableError = keyof typeof tolerableErrors

/**
 * Phases, by the process that runs their steps. `host`: the runner itself. `stage`: a first child, needed only if a
 * namespace must be joined before another is made inside it. `child`: the container's process; its last step is execve.
 * `undo`: the runner, after a host step has failed or to remove the container; each undo step names its host step.
 */
export const phases = ['host', 'stage', 'child', 'undo'] as const
export type Phase = (typeof phases)[number]
