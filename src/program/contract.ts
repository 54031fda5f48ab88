/**
 * The facts that C and TypeScript must agree on: beside these the op table (ops.ts) and the options of commands (options.ts).
 * `npm run generate` writes native/contract.h from them; test/contract.test.ts fails when one of them is written by hand
 * elsewhere.
 */

/** The exit code of a process that has found no program to execute, and has changed and printed nothing. */
export const noProgram = 75
/** The exit code of a process that could not execute the program that it was started for. */
export const notExecuted = 127

/** First arguments with which the binaries are started for another purpose than their usual one. */
export const argv0 = {
  /** For the runner: it makes way for a program that Node.js has started. */
  execute: 'bundle-tool:execute',
  /** For the front, followed by a descriptor: it becomes a fork server, which takes orders from that socket. */
  orders: 'bundle-tool:orders=',
  /** For the runner, followed by a directory and its parent's pid: it makes the files of the directory, as commands say. */
  tree: 'bundle-tool:tree',
  /** For the runner, followed by a directory, the path of its copy, and its parent's pid: it makes the copy. */
  copy: 'bundle-tool:copy',
  /** For the front: it is the runner, where that is not beside it. */
  runner: 'bundle-tool:run',
} as const

/** The prefix of the variables below, and of the names under which the caller's variables are hidden from Node.js. */
export const variablePrefix = 'BUNDLE_TOOL_'

/** Environment variables with which the processes of the tool pass facts to each other. */
export const variables = {
  /** The name that the tool was called by. */
  name: 'BUNDLE_TOOL_NAME',
  /** The path of the front, for its own copy. */
  front: 'BUNDLE_TOOL_FRONT',
  /** The soft limit of descriptors that the caller has set, where it was raised for Node.js. */
  nofile: 'BUNDLE_TOOL_NOFILE',
  /** The descriptor on which the front takes a program. */
  handover: 'BUNDLE_TOOL_HANDOVER',
  /** The numbers of the reports of a failed program, from which Node.js makes the message; and the details of the first and the second. */
  reports: 'BUNDLE_TOOL_REPORTS',
  reportDetail: 'BUNDLE_TOOL_REPORT_DETAIL',
  leftoverDetail: 'BUNDLE_TOOL_LEFTOVER_DETAIL',
  /** The caller's own choice of a runner. */
  runner: 'BUNDLE_TOOL_RUNNER',
  /** The caller's own choice of an interpreter; empty: Node.js does all of it. */
  interpreter: 'BUNDLE_TOOL_INTERPRETER',
  /**
   * For the interpreter, where it is started for a command that needs Node.js: the path of one that others can change,
   * `runtimeAlone`, or nothing.
   */
  noNode: 'BUNDLE_TOOL_NO_NODE',
  /** The end of an interpreter that has failed, as wait(2) has it, for a warning. */
  interpreterEnd: 'BUNDLE_TOOL_INTERPRETER_END',
} as const

/**
 * The caller's variables that decide which image a name stands for, and where the store is: a program that was kept for a
 * `try` is for their values.
 */
export const tryVariables = [
  'HOME',
  'XDG_CONFIG_HOME',
  'XDG_DATA_HOME',
  'CONTAINERS_REGISTRIES_CONF',
  'CONTAINERS_CONF',
  'CONTAINERS_CONF_OVERRIDE',
  '_CONTAINERS_ROOTLESS_UID',
] as const
/** The beginning of the ID of a container that `try` has given none; the process that removes it follows. */
export const tryPrefix = 'try-'

/** Stands for a place that has no scripts for Node.js. */
export const runtimeAlone = 'runtime alone'

/** Beginnings of `NAME=value` for variables that change which code Node.js and its libraries run. */
export const codeVariables = ['NODE_', 'OPENSSL_'] as const
/** The part of them that decides which servers are trusted; a command that talks to servers needs these. */
export const trustVariables = ['NODE_EXTRA_CA_CERTS=', 'NODE_USE_SYSTEM_CA=', 'OPENSSL_'] as const

/** True for a variable that Node.js does not get. @param hasNetwork for a command that talks to servers */
export function isHiddenVariable(name: string, hasNetwork: boolean): boolean {
  const begins = (beginnings: readonly string[]): boolean => beginnings.some((text) => `${name}=`.startsWith(text))
  return begins(codeVariables) && !(hasNetwork && begins(trustVariables))
}

/** Commands that need Node.js: they talk to servers, or have threads that pack and unpack. All others run in the interpreter, too. */
export const nodeCommands = [
  'pull',
  'unpack',
  'inspect',
  'list-tags',
  'copy',
  'push',
  'images',
  'rmi',
  'prune',
  'verify',
  'login',
  'logout',
  'export',
  'repack',
  'unshare',
  'try',
  'tag',
  'digest',
  'list-referrers',
  'diff',
  'doctor',
] as const

/** The state root of a user without XDG_RUNTIME_DIR; the uid follows. */
export const temporaryRootPrefix = '/tmp/bundle-tool-'
/** The name of the file with a container's state, in its directory. It is removed last, after all else of the container. */
export const stateFile = 'state.json'
/** The name of the file with a container's record for the front, beside its state. */
export const recordFile = '.front'
/** The version of records; the front leaves a container with another one to Node.js. */
export const recordVersion = '3'
/**
 * The first lines of a record, which lifecycle commands need; each may be empty. They are followed by the directories of the
 * cgroups to remove with the container, an empty line, and the JSON of `state` without the lines of pid and status.
 *
 * - `flags`: `recordFlags` that are true of the container
 * - `freezer`: a file to which `frozen` is written to freeze the processes of the container, and `thawed` to thaw them; its
 *   content is one of these
 * - `proof`: a file that has the line `proven` once the container's own freezer has frozen all of its processes
 * - `not_running`: the error of `kill` after the container's end; `quoted_not_running`: as the log has it
 */
export const recordLines = [
  'version',
  'pid',
  'start_time',
  'flags',
  'freezer',
  'thawed',
  'frozen',
  'proof',
  'proven',
  'not_running',
  'quoted_not_running',
] as const

export type RecordLine = (typeof recordLines)[number]

/**
 * Actions that the front may take for a container: kill all of it by its first process, start it, delete it.
 */
export const recordFlags = { kill: 'k', start: 's', delete: 'd' } as const

/** The FIFO on which a created container waits to be started, beside its state. */
export const startFifo = 'exec.fifo'
/** The name of the file with the pid and the start of the keeper of a program beside the container, which ends it. */
export const keeperFile = 'keeper'
/** The prefix of the name of a kept program's file; the hash of its key follows, in 16 hexadecimal digits. */
export const keptPrefix = '.program-'
/** Parameters of that hash, FNV-1a with 64 bits: the offset basis, and the prime by which it is multiplied for each byte. */
export const fnvOffset = 0xcbf29ce484222325n
export const fnvPrime = 0x100000001b3n

/** The first bytes of an encoded program, and of the file of a kept one, and the version of both. */
export const magic = 'BTPR'
export const keptMagic = 'BTKP'
export const version = 1
/** In a text, this byte and a letter are a register, of which 'A' is the first; this byte twice is the byte itself. */
export const textEscape = 1
export const firstRegister = 65
/** The byte between what a helper wrote to its standard output and to standard error, in the detail of a report. */
export const outputDivider = 0x1f
/** The number of slots for descriptors that a program has. */
export const maxSlots = 64
/** The runner refuses a larger program, and reads no larger file of any kind into memory. */
export const maxProgramBytes = 0x1000_0000
/** The largest size in bytes of the words of an order to the fork server, each with its NUL. */
export const maxOrderBytes = 0x4000

/** The most bytes of a register's value, with the NUL behind it. */
export const maxRegisterBytes = 1024

/** The signal that tells a runner that nobody waits for its container any more; it is not forwarded to the container. */
export const endSignal = 'SIGPWR'

/**
 * The places at which the two sides of a program meet, by number.
 *
 * - `mapped`: the user namespace has its ids, and the cgroups are made
 * - `mounted`, `hooked`: the mounts are made, and the host's hooks have run
 * - `ready`, `go`: the process is ready, and the state is written
 * - `born`: the stage has made the container's process
 * - `listener`: the process has loaded a filter whose listener the host takes
 * - `mount0` and so on: the process waits for a mount that the host hands over
 */
export const barriers = { mapped: 1, ready: 2, go: 3, mounted: 4, hooked: 5, born: 9, listener: 10 } as const
const firstMount = 32
const mountBarriers = 200

/** The barrier of a mount that is handed over; after 200 of them the first one is used again. */
export const mountBarrier = (index: number): number => firstMount + (index % mountBarriers)

/** The name of a barrier. */
export function barrierName(number: number): string {
  if (number >= firstMount) return `mount${number - firstMount}`
  return Object.entries(barriers).find(([, value]) => value === number)?.[0] ?? String(number)
}

/**
 * The kinds of guards: facts that a kept program was compiled from, each compared with the host before the program runs.
 *
 * - `key`: the command line that the program is for
 * - `place`: device, inode and mode of the file or directory at a path; a link is not followed
 * - `present`, `absent`: a path exists, or does not
 * - `executable`, `not_executable`: access(2) lets the caller execute a path, or does not
 * - `content`: the bytes of a regular file
 * - `mounts`: the lines of a mountinfo file for filesystem types with a common beginning, without the numbers of mounts and
 *   peer groups, which differ between mount namespaces
 * - `caller`: the ids and effective capabilities of the process
 * - `kernel`: release and version of the kernel
 * - `file`: device, inode, size and times of what a path leads to; for a file whose content is too much to compare
 */
export const guardKinds = {
  key: 1,
  place: 2,
  present: 3,
  absent: 4,
  executable: 5,
  not_executable: 6,
  content: 7,
  mounts: 8,
  caller: 9,
  kernel: 10,
  file: 11,
} as const

export type GuardKind = keyof typeof guardKinds

/**
 * The kinds of reports. They have only numbers, from which the side that compiled the program makes the message.
 *
 * - `begun`: of a fork server: the run has found its program
 * - `pipe`: of a fork server: the ends of a new pipe, in `pid` and `status`
 * - `ended`: of a fork server: the exit code of a run, in `status`
 */
export const reportKinds = {
  ready: 1,
  failed: 2,
  undoFailed: 3,
  exited: 4,
  refused: 5,
  begun: 6,
  pipe: 7,
  ended: 8,
} as const

/** The kinds of orders to a fork server. */
export const orderKinds = { run: 1, pipe: 2, close: 3, signal: 4 } as const

/**
 * The kinds of commands that make a tree of files. A name is a file's in the current directory.
 *
 * - `enter`: the path `name` from the root is the current directory; empty for the root
 * - `directory`, `unlink`, `symlink`: makes or removes one; the text is the symlink's target
 * - `remove`: removes a directory and everything beneath it
 * - `link`: another name for the file whose path from the root is the text
 * - `file`: makes a file, which stays open until a command completes it, and writes its first data
 * - `data`: writes more data to the open file
 * - `done`: asks for a report when all commands before have been carried out
 */
export const treeKinds = {
  enter: 1,
  directory: 2,
  unlink: 3,
  remove: 4,
  symlink: 5,
  link: 6,
  file: 7,
  data: 8,
  done: 9,
} as const

/**
 * Flags of these commands: the file has an owner, a mode or a time that it does not get by being made; its data end here; its
 * size is `position`.
 */
export const treeFlags = { owner: 1, mode: 2, time: 4, complete: 8, resize: 16 } as const

/** Bytes of the memory that the data of files are passed in. */
export const treeMemoryBytes = 0x200_0000
/** The most bytes that a name or a text of such a command has, with its NUL: as long as a path may be. */
export const treeTextBytes = 4096

/** The structures that C and TypeScript exchange, byte for byte. Numbers are little-endian, as on x86-64 and arm64. */
export const structs = {
  program_header: {
    does: 'An encoded program begins with this; then come the steps, the lists and the strings.',
    fields: {
      magic: ['char', 4],
      version: ['u32'],
      size: ['u32', 1, 'of the whole program'],
      steps: ['u32', 4, 'how many in each phase, in this order'],
      list_words: ['u32', 1, 'lists: words of 64 bits; 0 ends a list, others are offsets of strings'],
      strings: ['u32', 1, 'bytes; the first is NUL, so that offset 0 means "none"'],
      reserved: ['u32', 7],
    },
  },
  step: {
    does: 'One step of a program.',
    fields: {
      op: ['u16'],
      phase: ['u8'],
      reserved: ['u8'],
      tolerate: ['u32', 1, 'a bit for each entry of TOLERABLE_ERRORS'],
      arg: ['u64', 6],
      from: ['u32', 1, 'the JSON pointer it came from: for whoever prints the program'],
      undoes: ['u32', 1, 'undo steps: the host step that must have been done'],
    },
  },
  report: {
    does: 'A report of a runner or a fork server.',
    fields: {
      kind: ['u32'],
      step: ['u32'],
      error: ['i32'],
      syscall: ['i32'],
      pid: ['i32'],
      status: ['i32'],
      end: [
        'i32',
        1,
        'how the new process ended, plus 1, as wait4(2) says it, if that was before it was killed; else 0',
      ],
      order: ['u32', 1, 'of the fork server; 0: of nobody'],
      detail: [
        'char',
        1024,
        'ends in NUL; what a failed helper wrote, its standard output, OUTPUT_DIVIDER and standard error',
      ],
    },
  },
  order: {
    does: 'An order to a fork server; the words of a command line follow, each with its NUL.',
    fields: {
      kind: ['u32'],
      number: ['u32'],
      words: ['u32', 1, 'bytes'],
      value: [
        'i32',
        3,
        'run: descriptors 0 to 2 of it, -1 for /dev/null; close: which, -1 for none; signal: the first',
      ],
    },
  },
  kept_header: {
    does: 'The file of a kept program begins with this; then come its guards, then the program.',
    fields: {
      magic: ['char', 4],
      version: ['u32'],
      guards: ['u32', 1, 'how many'],
      program: ['u32', 1, 'where it begins'],
    },
  },
  guard: {
    does: 'A fact that must still be as it was. A text follows, then perhaps content as long as the first value says; both padded to 8 bytes.',
    fields: { kind: ['u32'], text: ['u32', 1, 'bytes, with the NUL'], value: ['u64', 8] },
  },
  handover: {
    does: 'The message from Node.js to the front: then come the ID, the directory to run in, the pid file and the console socket, each with its NUL, padded to 8 bytes; then the program.',
    fields: { program: ['u32', 1, 'where it begins'], reserved: ['u32'] },
  },
  tree_command: {
    does: 'A command on a tree of files. Its name and its text follow, each with its NUL; both together padded to 8 bytes.',
    fields: {
      kind: ['u16'],
      flags: ['u16'],
      name: ['u16', 1, 'bytes, with the NUL; 0: none'],
      text: ['u16', 1, 'bytes, with the NUL; 0: none'],
      mode: ['u32'],
      uid: ['u32'],
      gid: ['u32'],
      nanoseconds: ['u32'],
      seconds: ['i64', 1, 'modification time'],
      position: ['u64', 1, 'in the file'],
      from: ['u32', 1, 'where the data begin in the memory'],
      length: ['u32', 1, 'of the data'],
    },
  },
  tree_report: {
    does: 'The first one of a process that makes a tree has the descriptor of its memory; others answer `done`, or tell a failure. One that copies a tree sends one.',
    fields: {
      error: ['i32', 1, 'of errno(3); 0: all is done'],
      syscall: ['i32', 1, 'that failed'],
      command: ['u32', 1, 'that failed, counted from the last `done`'],
      memory: ['i32'],
    },
  },
} as const

/** The largest number of operands of a step. */
export const maxOperands: number = structs.step.fields.arg[1]
/** The number of bytes that are kept of a failed helper's output, with a NUL. */
export const detailBytes: number = structs.report.fields.detail[1]
