/**
 * The op table: the one place that says what the runner can do.
 *
 * `native/runner/ops.h` (the enum, the dispatch table, the operand kinds that the loader checks), `src/program/README.md`, the
 * encoder and `explain` are all derived from it. A number is never reused; a new op goes to the end of its group.
 */

/** What an operand is, how it is encoded, and how `explain` shows it. */
export type OperandKind =
  | 'slot' // a descriptor that an earlier step put there; null: the current directory, or none
  | 'newSlot' // where this step puts a descriptor; what was there is closed
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
   * The one system call that the op is, which the runner makes by this description: its arguments are operands by name, `#` and
   * a name for the length of one, or constants of C; those that are left out are 0. Other ops have a function in native/.
   */
  readonly call?: readonly [name: string, ...rest: string[]]
  /** What the op does, for the documentation and for whoever reads `explain`. */
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
    call: ['mkdirat', 'at', 'path', 'mode'],
    does: 'mkdirat(2)',
  },
  rmdir: {
    number: 4,
    operands: { at: 'slot', path: 'text' },
    call: ['unlinkat', 'at', 'path', 'AT_REMOVEDIR'],
    does: 'unlinkat(2) with AT_REMOVEDIR',
  },
  unlink: { number: 5, operands: { at: 'slot', path: 'text' }, call: ['unlinkat', 'at', 'path'], does: 'unlinkat(2)' },
  rename: {
    number: 6,
    operands: { at: 'slot', from: 'text', to: 'text' },
    call: ['renameat2', 'at', 'from', 'at', 'to'],
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
    call: ['fchownat', 'at', 'path', 'uid', 'gid', 'AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH'],
    does: 'fchownat(2) with AT_SYMLINK_NOFOLLOW; an empty path means `at` itself',
  },
  symlink: {
    number: 9,
    operands: { target: 'string', at: 'slot', path: 'text' },
    call: ['symlinkat', 'target', 'at', 'path'],
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
    does: 'utimensat(2) beneath `at`, through no symbolic link and on the link where the path is one: both times',
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
    does: 'mkdir(2) of a cgroup, and of so many levels above it as are missing; EBUSY when it is there and a process is in it',
  },
  enable_controllers: {
    number: 21,
    operands: { path: 'text' },
    does: 'turns on what cgroup.controllers of a cgroup lists for those below it, all at once or each that the kernel takes',
  },
  expect_not: {
    number: 22,
    operands: { path: 'text', content: 'string', unlessMade: 'decimal' },
    does: 'fails with EBUSY when the file starts with the content: the cgroup is frozen, or threaded; of one that was just made, if unlessMade is 1, that is known',
  },
  cgroup_remove: {
    number: 23,
    operands: { path: 'text' },
    does: 'rmdir(2) of a cgroup and those below it, again while the kernel says EBUSY, for two seconds at most',
  },
  cgroup_kill: {
    number: 24,
    operands: { path: 'text' },
    does: 'rmdir(2) of a cgroup, or SIGKILL to every process of it, until there is none, for two seconds at most',
  },
  report_file: {
    number: 26,
    operands: { path: 'text' },
    does: 'adds the content of a file to the report of a failure, where the new process died of it: memory.events',
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
    call: ['setns', 'slot', 'type'],
    does: 'setns(2)',
  },
  open_pidfd: { number: 29, operands: { to: 'newSlot' }, does: 'pidfd_open(2) of the new process' },
  unshare: { number: 32, operands: { flags: 'cloneFlags' }, call: ['unshare', 'flags'], does: 'unshare(2)' },
  sync_send: { number: 33, operands: { barrier: 'barrier' }, does: 'lets the other side pass the barrier' },
  sync_wait: {
    number: 34,
    operands: { barrier: 'barrier' },
    does: 'waits for the other side to reach the barrier; fails when that process is gone',
  },
  sync_within: {
    number: 28,
    operands: { barrier: 'barrier', timeoutMs: 'decimal' },
    does: 'sync_wait for so long at most: what the other side needs may never come',
  },
  identify: {
    number: 35,
    operands: {},
    does: 'sets the registers `start_time` (field 22 of /proc/PID/stat) and `created` for the new process',
  },
  kill_child: { number: 36, operands: {}, does: 'SIGKILL to the new process, and waits until it is gone' },
  ready: { number: 37, operands: {}, does: 'reports the new process: the container is created' },
  supervise: {
    number: 38,
    operands: { terminal: 'slot', keep: 'decimal' },
    does: 'passes signals on and relays the terminal until the container has exited; then all is undone unless kept',
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
    does: 'runs a program with `input` on its stdin; fails when it does not exit with 0 in time. -1: no limit. inheritEnv: 1 for the environment of the runner, 2 for that as Node.js is given it',
  },
  setsid: { number: 40, operands: {}, call: ['setsid'], does: 'setsid(2)' },
  session_keyring: {
    number: 41,
    operands: { name: 'text', permissions: 'hex' },
    does: 'keyctl(2) KEYCTL_JOIN_SESSION_KEYRING, and KEYCTL_SETPERM of permissions more',
  },
  prlimit: {
    number: 42,
    operands: { resource: 'resource', soft: 'decimal', hard: 'decimal' },
    does: 'prlimit(2) on the new process when run by the host, else on itself',
  },
  spawn_id_map: {
    number: 43,
    operands: { helper: 'string', map: 'list' },
    does: 'newuidmap(1) or newgidmap(1) PID and the map',
  },
  sync_closed: {
    number: 44,
    operands: {},
    does: 'waits until the other side has executed its command, which closes its socket; fails when it could not',
  },
  expect_process: {
    number: 45,
    operands: { process: 'slot', startTime: 'decimal' },
    does: 'fails with ESRCH unless this /proc/PID is of the process that started then: a pid may be reused',
  },
  expect_other: {
    number: 114,
    operands: { slot: 'slot', path: 'string' },
    does: 'fails with EEXIST when the descriptor is of the file at the path: a namespace that is the own one',
  },
  set_scheduler: {
    number: 46,
    operands: { attributes: 'bytes' },
    call: ['sched_setattr', '0', 'attributes'],
    does: 'sched_setattr(2)',
  },
  set_io_priority: {
    number: 47,
    operands: { value: 'decimal' },
    call: ['ioprio_set', '1', '0', 'value'],
    does: 'ioprio_set(2)',
  },
  set_affinity: {
    number: 48,
    operands: { cpus: 'bytes' },
    call: ['sched_setaffinity', '0', '#cpus', 'cpus'],
    does: 'sched_setaffinity(2)',
  },
  wait_exit: {
    number: 107,
    operands: { pid: 'decimal', startTime: 'decimal' },
    does: 'waits for the end of the process that started then, whoever its parent is, and reports its status as the container’s; ENODATA: that cannot be known',
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
    does: 'openat2(2) with RESOLVE_IN_ROOT, or a walk, and O_PATH; makes what is missing of the path if the kind says so',
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
    does: 'mount(2) on a descriptor (`path` is for the reader), or on the path when there is none',
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
    does: 'move_mount(2): attaches a detached mount on a descriptor, or on a name in that directory (`path` is for the reader)',
  },
  new_mount: {
    number: 55,
    operands: { to: 'newSlot', type: 'string', options: 'list', attributes: 'mountAttributes' },
    does: 'fsopen(2), fsconfig(2) for each pair of options, fsmount(2): a detached mount',
  },
  pivot_root: {
    number: 56,
    operands: { root: 'slot' },
    does: 'fchdir(2), pivot_root(".", "."); of the old root mount(2) MS_SLAVE and umount2(2) MNT_DETACH; chdir("/")',
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
    does: 'hides a path of the rootfs under a copy of the mount `file` or `directory`, by what the path is',
  },
  readonly_path: {
    number: 60,
    operands: { root: 'slot', path: 'string' },
    does: 'a read-only recursive bind of a path of the rootfs on itself',
  },
  resolve_like: {
    number: 63,
    operands: { to: 'newSlot', root: 'slot', path: 'string', like: 'slot' },
    does: 'as resolve; what is missing is made a directory or a file, by what `like` is',
  },
  bind_flags: {
    number: 64,
    operands: { slot: 'slot', set: 'mountAttributes', clear: 'mountAttributes', atLeast: 'mountAttributes' },
    does: 'mount_setattr(2) that clears `clear`, or only `atLeast` where flags of the source are locked',
  },
  make_userns: {
    number: 65,
    operands: { to: 'newSlot', uidMap: 'string', gidMap: 'string' },
    does: 'a user namespace with these maps, made by a short-lived process, for an ID-mapped mount',
  },
  mount_tmpfs: {
    number: 66,
    operands: { root: 'slot', path: 'string', source: 'string', flags: 'mountFlags', data: 'string' },
    does: 'mount(2) of a tmpfs with the mode of the directory it covers, if that was there before',
  },
  set_propagation: {
    number: 69,
    operands: { slot: 'slot', flags: 'mountFlags' },
    does: 'mount(2) MS_PRIVATE or another propagation of the mount that a directory is in',
  },
  umount: {
    number: 68,
    operands: { path: 'string' },
    does: 'mount(2) MS_SLAVE, then umount2(2) with MNT_DETACH: from this namespace alone',
  },
  copy_tree: {
    number: 67,
    operands: { from: 'slot', to: 'slot' },
    does: 'copies what is below a directory, with owners, modes and times, and those of the directory itself',
  },
  expect_device: {
    number: 61,
    operands: { slot: 'slot', mode: 'octal', major: 'decimal', minor: 'decimal' },
    does: 'fails with ENODEV unless the descriptor is this device',
  },
  expect_filesystem: {
    number: 62,
    operands: { slot: 'slot', magic: 'hex' },
    does: 'fails with EXDEV unless the descriptor is on this kind of filesystem',
  },

  // What the process is.
  sethostname: {
    number: 70,
    operands: { name: 'string' },
    call: ['sethostname', 'name', '#name'],
    does: 'sethostname(2)',
  },
  setdomainname: {
    number: 71,
    operands: { name: 'string' },
    call: ['setdomainname', 'name', '#name'],
    does: 'setdomainname(2)',
  },
  loopback_up: { number: 72, operands: {}, does: 'brings the loopback interface up: ioctl(2) SIOCSIFFLAGS' },
  netlink_socket: { number: 88, operands: { to: 'newSlot' }, does: 'socket(2) AF_NETLINK, NETLINK_ROUTE' },
  netlink_request: {
    number: 89,
    operands: { socket: 'slot', request: 'bytes', interface: 'string', netns: 'slot' },
    does: 'a request of rtnetlink(7): the number of the interface, and the namespace if there is one, are filled in',
  },
  save_interface: {
    number: 95,
    operands: { to: 'newSlot', socket: 'slot', interface: 'string' },
    does: 'keeps the permanent addresses of global scope of an interface, and whether it is up, as requests to come',
  },
  restore_interface: {
    number: 96,
    operands: { socket: 'slot', interface: 'string', saved: 'slot' },
    does: 'sends these requests',
  },
  expect_no_interface: {
    number: 97,
    operands: { socket: 'slot', interface: 'string' },
    does: 'fails with EEXIST when there is an interface of this name',
  },
  umask: { number: 73, operands: { mask: 'octal' }, call: ['umask', 'mask'], does: 'umask(2)' },
  chdir: {
    number: 74,
    operands: { path: 'string' },
    does: 'chdir(2), which must end inside the root; nothing when an earlier one succeeded',
  },
  prctl: {
    number: 75,
    operands: { option: 'prctl', value: 'decimal' },
    call: ['prctl', 'option', 'value'],
    does: 'prctl(2)',
  },
  bounding_set: {
    number: 76,
    operands: { keep: 'capabilities' },
    does: 'prctl(2) PR_CAPBSET_DROP for every capability that the kernel knows and that is not kept',
  },
  capset: {
    number: 77,
    operands: { effective: 'capabilities', permitted: 'capabilities', inheritable: 'capabilities' },
    does: 'capset(2), limited to what the process is permitted',
  },
  ambient_set: {
    number: 78,
    operands: { raise: 'capabilities' },
    does: 'prctl(2) PR_CAP_AMBIENT_RAISE for each that is inheritable',
  },
  setgroups: { number: 79, operands: { groups: 'bytes' }, does: 'setgroups(2)' },
  setgid: { number: 80, operands: { gid: 'id' }, call: ['setresgid', 'gid', 'gid', 'gid'], does: 'setresgid(2)' },
  setuid: { number: 81, operands: { uid: 'id' }, call: ['setresuid', 'uid', 'uid', 'uid'], does: 'setresuid(2)' },
  chown_stdio: {
    number: 82,
    operands: { uid: 'id' },
    does: 'fchown(2) of the descriptors 0 to 2 that are no null device, so that the user may reopen them',
  },
  prepare_stdio: {
    number: 120,
    operands: { relay: 'decimal', uid: 'id', gid: 'id' },
    does: 'fails with EISDIR for a directory as descriptor 0, 1 or 2; fchown(2) of a pipe; if relay is 1, makes one in place of all but pipes, sockets and null devices, and relays it in every wait from then on',
  },
  take_stdio: {
    number: 121,
    operands: {},
    does: 'dup3(2) of the pipes that prepare_stdio has made over the descriptors 0 to 2',
  },
  expect_descriptors: {
    number: 122,
    operands: { count: 'decimal' },
    does: 'fails with EMFILE when RLIMIT_NOFILE is lower: then nothing has been made that could not be taken back',
  },
  reopen_null: {
    number: 83,
    operands: { root: 'slot' },
    does: "dup3(2) of the container's /dev/null over the descriptors 0 to 2 that are a null device",
  },

  take_listener: {
    number: 87,
    operands: { to: 'newSlot' },
    does: 'pidfd_getfd(2) of the listener that the new process got from seccomp(2)',
  },
  fchdir: { number: 84, operands: { slot: 'slot' }, call: ['fchdir', 'slot'], does: 'fchdir(2)' },
  set_personality: {
    number: 85,
    operands: { persona: 'hex' },
    call: ['personality', 'persona'],
    does: 'personality(2)',
  },
  seccomp: {
    number: 86,
    operands: { filter: 'bytes', flags: 'hex', listener: 'newSlot' },
    does: 'seccomp(2) SECCOMP_SET_MODE_FILTER; a listener, if the flags ask for one, goes into the slot',
  },

  // Terminal.
  open_pty: {
    number: 90,
    operands: { controller: 'newSlot', terminal: 'newSlot', ptmx: 'slot', rows: 'decimal', columns: 'decimal' },
    does: 'reopens ptmx, TIOCSPTLCK, TIOCGPTPEER, TIOCSWINSZ: both ends by descriptor',
  },
  expect_terminal: {
    number: 108,
    operands: {},
    does: "fails with ENOTTY unless one of the caller's descriptors 0 to 2 is a terminal, or the caller has one; that of a program that waits for the container is not meant",
  },
  set_terminal: { number: 91, operands: { terminal: 'slot' }, does: 'ioctl(2) TIOCSCTTY, dup3(2) to 0, 1 and 2' },
  connect: {
    number: 92,
    operands: { to: 'newSlot', path: 'text' },
    does: 'socket(2), connect(2): a unix socket, whose listener has ten seconds',
  },
  send_fd: {
    number: 93,
    operands: { socket: 'slot', slot: 'slot', name: 'text' },
    does: 'sendmsg(2) of a descriptor with a name; to the other side when there is no socket',
  },
  bind: {
    number: 98,
    operands: { to: 'newSlot', path: 'string' },
    does: 'socket(2), bind(2): a unix socket for datagrams, which anybody may write to',
  },
  notify_relay: {
    number: 99,
    operands: { socket: 'slot', host: 'string', process: 'string', mainPid: 'text', background: 'decimal' },
    does: "passes READY= of sd_notify(3) on to the host's socket, with MAINPID= and BARRIER=1; ends with the process (none: the new one); in the background, a process of its own does that",
  },
  receive_fd: { number: 94, operands: { to: 'newSlot' }, does: 'recvmsg(2) of a descriptor from the other side' },

  // CRIU.
  criu_start: {
    number: 110,
    operands: { to: 'newSlot', path: 'string' },
    does: 'runs "criu swrk" on a socket, with the descriptors that the runner has inherited; it is the new process',
  },
  criu_directory: {
    number: 113,
    operands: { path: 'string', fd: 'decimal' },
    does: 'openat(2) of a directory, which takes the place of an inherited descriptor',
  },
  criu_send: { number: 111, operands: { socket: 'slot', message: 'bytes' }, does: 'write(2) of a message of CRIU' },
  criu_wait: {
    number: 112,
    operands: { terminal: 'newSlot', socket: 'slot', script: 'string' },
    does: 'lets CRIU go on until its notification of this name, which has the new process (none: until its end); a terminal that it sends goes into the slot',
  },

  // The end.
  default_home: {
    number: 100,
    operands: { uid: 'id', env: 'list' },
    does: 'adds HOME to the environment: from /etc/passwd, "/" for a user who is not in it',
  },
  find_command: {
    number: 101,
    operands: { name: 'string', path: 'string' },
    does: 'finds the executable as execvp(3) does, so that a missing one fails the create; none: what `exec` is called with',
  },
  wait_start: {
    number: 102,
    operands: { fds: 'slot', fifo: 'slot' },
    does: 'opens the FIFO for writing, by its name in /proc/self/fd, which blocks until `start` opens it, and writes one byte',
  },
  exit_on_signals: {
    number: 106,
    operands: {},
    does: 'rt_sigaction(2), rt_sigprocmask(2): SIGHUP, SIGINT, SIGQUIT, SIGABRT and SIGTERM end the process, PID 1 or not',
  },
  close_slots: {
    number: 105,
    operands: { first: 'slot', second: 'slot' },
    does: 'close(2) of every slot but these two: nothing of the host is open in a container that waits to be started',
  },
  close_from: {
    number: 103,
    operands: { first: 'decimal' },
    does: 'close_range(2) of all but the slots; those with CLOSE_RANGE_CLOEXEC, or by way of /proc/self/fd',
  },
  execve: {
    number: 104,
    operands: { argv: 'list', env: 'list' },
    does: 'execve(2) of what find_command found; an empty argv: the words of `exec`',
  },
} as const
ops satisfies Record<string, OpDefinition>

export type OpName = keyof typeof ops

/**
 * Values known only when the program runs; a `text` operand may name them. The order is their number. `pid_file` and
 * `console_socket` are what the call has given for --pid-file and --console-socket: a kept program is for all of them.
 * `boot_ticks` is the time since the boot, in the clock ticks of /proc/PID/stat.
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

/** The errors that a step may tolerate; a bit each, in this order. */
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
 * Which process runs a step. `host`: the runner itself. `stage`: a first child, needed only where a namespace must be
 * joined before a new one is made inside it. `child`: the container's first process; its last step is execve. `undo`:
 * the runner again, when a host step failed or the container is to be removed; each undo step names its host step.
 */
export const phases = ['host', 'stage', 'child', 'undo'] as const
export type Phase = (typeof phases)[number]
