/**
 * The options of the commands that the front understands: a part of the contract between C and TypeScript. `npm run generate`
 * writes native/contract.h from them; the compiler's parser of arguments, commander and the library derive from them, too.
 */

export type Call = 'create' | 'run' | 'exec'

/**
 * The way in which a kept program depends on an option.
 *
 * - `never`: no program is kept for a command line with this option
 * - `by_name`: the key has the option's name; its value, if it has one, is a register of the program
 * - `by_value`: the key has the option's name and value
 * - `apart`: the option has a special form in the key (the bundle; the file of --process)
 * - `none`: the key does not have the option, which changes nothing
 */
export type Dependence = 'never' | 'by_name' | 'by_value' | 'apart' | 'none'

export type ValueKind = 'text' | 'count' | 'texts' | 'gids'

/** An option of `run`, `create` or `exec`: for the front, the compiler's parser of arguments, commander and the library. */
export interface CallOption {
  /** The long name, without its two dashes. */
  readonly name: string
  /** The short name, without its dash. */
  readonly letter?: string
  /** The kind of its value, and the value's name in help; an option without it is a switch. */
  readonly value?: readonly [kind: ValueKind, name: string]
  /** The property of the library's options that it sets; an option without one changes nothing. */
  readonly option?: string
  readonly kept: Dependence
  /** The commands that take it, each with its line of help. */
  readonly help: Readonly<Partial<Record<Call, string>>>
}

const forContainers = (help: string): CallOption['help'] => ({ create: help, run: help })

/** Every option of `run`, `create` and `exec` except `--help`. An option with an empty value counts as not given. */
export const callOptions: readonly CallOption[] = [
  {
    name: 'bundle',
    letter: 'b',
    value: ['text', 'directory'],
    option: 'bundle',
    kept: 'apart',
    help: forContainers('the bundle (default: the current directory)'),
  },
  {
    name: 'config',
    letter: 'f',
    value: ['text', 'file'],
    option: 'configFile',
    kept: 'never',
    help: forContainers('read this file instead of config.json of the bundle'),
  },
  {
    name: 'console-socket',
    value: ['text', 'path'],
    option: 'consoleSocket',
    kept: 'by_name',
    help: {
      ...forContainers("a unix socket to send the container's terminal to"),
      exec: 'a unix socket to send the terminal to',
    },
  },
  {
    name: 'pidfd-socket',
    value: ['text', 'path'],
    option: 'pidfdSocket',
    kept: 'never',
    help: {
      ...forContainers('a unix socket to send a pidfd of the container to'),
      exec: 'a unix socket to send a pidfd of the process to',
    },
  },
  {
    name: 'no-cache',
    option: 'noCache',
    kept: 'never',
    help: forContainers('compile the bundle, and use and keep no program or filter'),
  },
  {
    name: 'pid-file',
    value: ['text', 'file'],
    option: 'pidFile',
    kept: 'by_name',
    help: {
      ...forContainers('write the process ID of the container to this file'),
      exec: 'write the process ID to this file',
    },
  },
  {
    name: 'no-pivot',
    option: 'noPivot',
    kept: 'by_name',
    help: forContainers('change the root by chroot(2): for a rootfs in a ramdisk, where pivot_root(2) is refused'),
  },
  {
    name: 'no-new-keyring',
    option: 'noNewKeyring',
    kept: 'by_name',
    help: forContainers("let the container use the caller's session keyring"),
  },
  {
    name: 'preserve-fds',
    value: ['count', 'count'],
    option: 'preserveFds',
    kept: 'by_value',
    help: {
      ...forContainers('pass this many file descriptors from 3 on to the container (default: 0)'),
      exec: 'pass this many file descriptors from 3 on to the process',
    },
  },
  {
    name: 'cwd',
    value: ['text', 'directory'],
    option: 'cwd',
    kept: 'by_value',
    help: { exec: 'the working directory in the container' },
  },
  {
    name: 'env',
    letter: 'e',
    value: ['texts', 'variable'],
    option: 'env',
    kept: 'by_value',
    help: { exec: 'a variable to set, NAME=value; may be repeated' },
  },
  { name: 'tty', letter: 't', option: 'terminal', kept: 'by_name', help: { exec: 'give the process a terminal' } },
  {
    name: 'interactive',
    letter: 'i',
    kept: 'none',
    help: { exec: 'nothing: standard input is always passed on; for those who write -it' },
  },
  {
    name: 'user',
    letter: 'u',
    value: ['text', 'ids'],
    option: 'user',
    kept: 'by_value',
    help: { exec: 'user ID, or user ID:group ID' },
  },
  {
    name: 'additional-gids',
    letter: 'g',
    value: ['gids', 'gid'],
    option: 'additionalGids',
    kept: 'by_value',
    help: { exec: 'a supplementary group ID; may be repeated' },
  },
  {
    name: 'process',
    letter: 'p',
    value: ['text', 'file'],
    option: 'processFile',
    kept: 'apart',
    help: { exec: 'a file with the whole process, as "process" in config.json' },
  },
  {
    name: 'detach',
    letter: 'd',
    option: 'detach',
    kept: 'by_name',
    help: { run: 'return when the container is running', exec: 'return when the process runs' },
  },
  {
    name: 'keep',
    option: 'keep',
    kept: 'by_name',
    help: { run: 'keep the container, stopped, when its program has ended' },
  },
  {
    name: 'process-label',
    value: ['text', 'label'],
    option: 'selinuxLabel',
    kept: 'by_value',
    help: { exec: 'the SELinux label of the process' },
  },
  {
    name: 'apparmor',
    value: ['text', 'profile'],
    option: 'apparmorProfile',
    kept: 'by_value',
    help: { exec: 'the AppArmor profile of the process' },
  },
  {
    name: 'no-new-privs',
    option: 'noNewPrivileges',
    kept: 'by_name',
    help: { exec: 'keep the process from gaining privileges by execve(2)' },
  },
  {
    name: 'cap',
    letter: 'c',
    value: ['texts', 'capability'],
    option: 'capabilities',
    kept: 'by_value',
    help: { exec: 'a capability to add; may be repeated' },
  },
  {
    name: 'cgroup',
    value: ['texts', 'path'],
    option: 'cgroups',
    kept: 'never',
    help: { exec: "a cgroup below the container's, [controller,...:]path; may be repeated" },
  },
  {
    name: 'ignore-paused',
    option: 'ignorePaused',
    kept: 'never',
    help: { exec: 'let the process wait in a paused container' },
  },
  {
    name: 'no-subreaper',
    option: 'noSubreaper',
    kept: 'by_name',
    help: {
      run: "leave orphaned processes of the container to the caller's reaper",
      exec: "leave orphaned processes to the caller's reaper",
    },
  },
]

/** The options of a command, in the order of its help. */
export const optionsOfCall = (call: Call): readonly CallOption[] =>
  callOptions.filter(({ help }) => help[call] !== undefined)

/** The formats of the log; the first is the default. */
export const logFormats = ['text', 'json'] as const

/** An option before the command. */
export interface GlobalOption extends Pick<CallOption, 'name' | 'value' | 'option'> {
  readonly help: string
  /** True when neither the front nor the compiler understands it, so that the full command line takes over. */
  readonly needsAll?: boolean
}

/** The options before the command that engines always give; the full command line has more. */
export const globalOptions: readonly GlobalOption[] = [
  {
    name: 'root',
    value: ['text', 'directory'],
    option: 'root',
    help: 'where the state of containers is kept (default: /run/bundle-tool; for others than root below $XDG_RUNTIME_DIR, or /tmp/bundle-tool-UID)',
  },
  {
    name: 'log',
    value: ['text', 'file'],
    option: 'log',
    help: 'append the log to this file instead of writing it to standard error',
  },
  {
    name: 'log-format',
    value: ['text', 'format'],
    option: 'logFormat',
    help: 'format of the log, text or json (default: text)',
  },
  {
    name: 'systemd-cgroup',
    option: 'systemdCgroup',
    help: 'the same as --cgroup-manager systemd: cgroupsPath is "slice:prefix:name"',
    needsAll: true,
  },
]

/** The global option of this name. */
export function globalOption(name: string): GlobalOption {
  const found = globalOptions.find((option) => option.name === name)
  if (found === undefined) throw new Error(`no global option is called ${name}`)
  return found
}

/** The commands on an existing container that the front executes from the container's record. */
export type LifecycleCommand = 'start' | 'state' | 'kill' | 'delete' | 'pause' | 'resume'

/** A switch of such a command. */
export interface LifecycleOption extends Pick<CallOption, 'name' | 'letter'> {
  readonly help: string
  /** True when the front understands it; it leaves a command line with another one to Node.js. */
  readonly isForFront?: boolean
}

export const lifecycleOptions: Readonly<Record<LifecycleCommand, readonly LifecycleOption[]>> = {
  start: [],
  state: [],
  kill: [
    { name: 'all', letter: 'a', help: 'send the signal to all processes of the container; none left is no error' },
    { name: 'wait', letter: 'w', help: 'return when the container has ended' },
  ],
  delete: [
    {
      name: 'force',
      letter: 'f',
      help: 'kill the container first if it runs; a container that does not exist is no error',
      isForFront: true,
    },
    { name: 'regex', letter: 'r', help: 'delete each container whose ID matches: an extended regular expression' },
  ],
  pause: [],
  resume: [],
}
