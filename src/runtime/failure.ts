import { constants } from 'node:os'
import { noTerminal } from '../compile/terminal.ts'
import { OciError } from '../errors.ts'
import { explainOperands } from '../program/explain.ts'
import { resolveKind } from '../program/flags.ts'
import type { AnyOperand, NumberedStep, Step } from '../program/program.ts'
import { errorName, errorText } from './error-names.ts'
import { hintFor } from './failure-hints.ts'
import { syscallName } from './syscall-names.ts'

/** The runner's report of a failed step. */
export interface Failure {
  readonly step: number
  readonly error: number
  /** Number of the system call that failed; -1 for an error that the step found without one. */
  readonly syscall: number
  readonly pid: number
  /** Wait status (wait4(2)) of a helper, such as a hook, that failed. */
  readonly status: number
  /** Wait status of the new process plus one, if it had ended before it was killed for the failure; else 0. */
  readonly end: number
  /** Output of a failed helper. */
  readonly detail: string
}

/** Turns the runner's numbers into an error that says what failed, on which thing, from which field, and what to do. */
export function describeFailure(steps: readonly NumberedStep[], failure: Failure): OciError {
  const entry = steps[failure.step]
  if (!entry) return new OciError('ERR_SYSCALL', `step ${failure.step}: error ${failure.error}`)
  const { step, phase } = entry
  const errno = errorName(failure.error)
  if (failure.end > 0 && phase === 'host' && needsNewProcess(step)) return newProcessIsGone(steps, failure)
  const special = specialCase(entry, errno, failure)
  if (special) return special
  const syscall = syscallOf(failure)
  const how = `${syscall === undefined ? '' : `${syscall}: `}${errorText(failure.error)} (${errno})`
  return new OciError('ERR_SYSCALL', `${isMount(step) ? 'error mounting ' : ''}${subject(step)}: ${how}`, {
    pointer: step.from.startsWith('/') ? step.from : undefined,
    hint: hintFor(step, errno, steps),
    cause: Object.assign(new Error(`step ${failure.step} of ${steps.length} (${step.op}), phase ${phase}`), {
      code: errno,
      syscall: syscall ?? step.op,
    }),
  })
}

/** The name of the failed system call; undefined when the step made none. */
function syscallOf({ syscall }: Failure): string | undefined {
  return syscall < 0 ? undefined : (syscallName(syscall) ?? `system call ${syscall}`)
}

function isMount({ from }: Step): boolean {
  return from.startsWith('/mounts/')
}

/** The errors whose text engines match, or whose cause is not the system call's. Their words are runc's. */
function specialCase({ step, phase }: NumberedStep, errno: string, failure: Failure): OciError | undefined {
  const pointer = step.from.startsWith('/') ? step.from : undefined
  if (errno === 'EINTR' && phase === 'host') return interrupted()
  if (step.from === '--cgroup') {
    const text = `error adding pid to cgroups: ${textOf(step, 'path')}: ${errorText(failure.error)}`
    return new OciError('ERR_SYSCALL', text, { hint: 'make the cgroup first, or name another with --cgroup' })
  }
  switch (step.op) {
    case 'find_command': {
      const name = String(step.operands.name)
      if (errno === 'ENOENT') {
        const where = name.includes('/') ? 'no such file or directory' : 'executable file not found in $PATH'
        return new OciError('ERR_COMMAND_NOT_FOUND', `exec: "${name}": ${where}`, { pointer })
      }
      return new OciError('ERR_COMMAND_NOT_EXECUTABLE', `exec: "${name}": ${errorText(failure.error)}`, { pointer })
    }
    case 'mkdir':
      if (errno !== 'EEXIST' || step.from !== 'ID') return undefined
      return new OciError('ERR_CONTAINER_EXISTS', 'container with given ID already exists', {
        hint: 'choose another ID, or delete the container first',
      })
    case 'resolve':
      if (step.operands.kind !== resolveKind.ORDINARY || (errno !== 'ENOTDIR' && errno !== 'ELOOP')) return undefined
      return new OciError(
        'ERR_SYSCALL',
        `filesystem at "${textOf(step, 'path')}" must be mounted on ordinary directory`,
        {
          pointer,
          hint: 'make it a directory in the rootfs: a link could lead anywhere',
        },
      )
    case 'chdir':
      if (errno !== 'EXDEV') return undefined
      return new OciError('ERR_SYSCALL', `current working directory is outside of container mount namespace root`, {
        pointer,
      })
    case 'connect':
      return connectFailed(step, errno, failure, pointer)
    case 'sync_within':
      return errno === 'ETIMEDOUT' ? agentIsSilent(pointer) : undefined
    case 'expect_other': {
      if (errno !== 'EEXIST') return undefined
      const name = step.from.split('/').at(-1)?.replaceAll('~1', '/').replaceAll('~0', '~')
      const text = `sysctl "${name}" is not allowed in a namespace that is the host's`
      return new OciError('ERR_CONFIG_INVALID', text, {
        pointer,
        hint: 'give the container a namespace of its own, or remove the sysctl',
      })
    }
    case 'expect_no_interface':
    case 'netlink_request':
    case 'save_interface':
    case 'restore_interface':
      return networkDeviceFailed(step, errno, failure, pointer)
    case 'criu_wait':
      return criuFailed(step, errno, failure)
    case 'spawn_id_map':
      return mapFailed(step, errno, failure, pointer)
    case 'spawn':
      return helperFailed(step, errno, failure, pointer)
    case 'cgroup_make':
      if (errno !== 'EBUSY') return undefined
      return new OciError('ERR_SYSCALL', `container's cgroup is not empty: ${textOf(step, 'path')}`, { pointer })
    case 'expect_not':
      if (textOf(step, 'path').endsWith('/cgroup.type')) {
        return new OciError('ERR_SYSCALL', `container's cgroup is in a threaded subtree: ${textOf(step, 'path')}`, {
          pointer,
          hint: 'name another place in linux.cgroupsPath',
        })
      }
      return new OciError('ERR_SYSCALL', `container's cgroup unexpectedly frozen: ${textOf(step, 'path')}`, { pointer })
    case 'expect_descriptors':
      return new OciError('ERR_SYSCALL', `too few file descriptors are allowed: it takes ${step.operands.count}`, {
        hint: 'raise RLIMIT_NOFILE: ulimit -n',
      })
    case 'expect_terminal':
      return errno === 'ENOTTY' ? noTerminal(step.from) : undefined
    case 'prepare_stdio':
    case 'supervise':
      return stdioFailed(step, errno, failure)
    case 'wait_exit':
      if (errno !== 'ENODATA') return undefined
      return new OciError('ERR_EXIT_STATUS_UNKNOWN', 'container "{id}" has ended, and its exit status is not known', {
        hint: 'begin to wait while it runs, on Linux 6.15 or newer; "run" has the status on every kernel',
      })
    default:
      return undefined
  }
}

/**
 * The error for a step that a signal ended. Signals are handled only where the runner waits; nothing else interrupts a
 * step.
 */
function interrupted(): OciError {
  return new OciError('ERR_INTERRUPTED', 'ended by a signal before it was complete; everything it had done is undone', {
    hint: 'repeat it, unless it was ended on purpose, as by `bundle-tool delete --force`',
  })
}

function networkDeviceFailed(step: Step, errno: string, failure: Failure, pointer: string | undefined): OciError {
  const problem = `network device "${textOf(step, 'interface')}": ${errorText(failure.error)} (${errno})`
  return new OciError('ERR_SYSCALL', problem, {
    pointer,
    hint: errno === 'ENODEV' ? 'list the interfaces with "ip link"' : undefined,
  })
}

const standardNames = ['standard input', 'standard output', 'standard error'] as const

/** The consequence of a failed call on one of these descriptors. */
const lost: Readonly<Record<string, string>> = {
  read: ': the container did not get all of the input',
  write: ': output of the container is lost',
}

/**
 * The error for a descriptor of the caller that is refused, or that failed while the runner relayed it; the failure's
 * status is its number.
 */
function stdioFailed({ op }: Step, errno: string, failure: Failure): OciError | undefined {
  const name = standardNames[failure.status]
  const syscall = syscallName(failure.syscall) ?? 'relay'
  if (name === undefined || (op === 'supervise' && lost[syscall] === undefined)) return undefined
  if (errno === 'EISDIR') {
    return new OciError('ERR_USAGE', `${name} is a directory, by which a container could reach the host`, {
      hint: 'redirect it to a file, a pipe or /dev/null',
    })
  }
  return new OciError(
    'ERR_FILE_SYSTEM',
    `${name}: ${syscall}: ${errorText(failure.error)} (${errno})${lost[syscall] ?? ''}`,
  )
}

/** The error for a failed helper, in runc's words: `error running createRuntime hook #1: exit status 2: its output`. */
function helperFailed(step: Step, errno: string, failure: Failure, pointer: string | undefined): OciError | undefined {
  if (step.from === '/linux/cgroupsPath') return systemdFailed(errno, failure, pointer)
  const [, kind, index] = /^\/hooks\/(\w+)\/(\d+)$/.exec(step.from) ?? []
  if (kind === undefined) return undefined
  const output = failure.detail.trim()
  const how = hookEnd(step, errno, failure)
  return new OciError('ERR_HOOK', `error running ${kind} hook #${index}: ${how}${output === '' ? '' : `: ${output}`}`, {
    pointer,
  })
}

/** The error of newuidmap(1) or newgidmap(1), which state on standard error what they refuse. */
function mapFailed(step: Step, errno: string, failure: Failure, pointer: string | undefined): OciError {
  const helper = textOf(step, 'helper')
  const said = failure.detail.trim()
  const file = helper.endsWith('newgidmap') ? '/etc/subgid' : '/etc/subuid'
  return new OciError('ERR_PERMISSION', said === '' ? `${helper}: ${hookEnd(step, errno, failure)}` : said, {
    pointer,
    hint: `check that ${file} has these ids for you alone and once, and that ${helper} may gain privileges`,
  })
}

/** The error for a failure of CRIU: the first error in its log, which has more. */
function criuFailed({ operands }: Step, errno: string, { detail, status }: Failure): OciError {
  const script = operands.script === null ? '' : ` before "${operands.script}"`
  const how =
    errno === 'EIO' ? `errno ${status}${detail === '' ? '' : `: ${detail.trim()}`}` : `it ended${script} (${errno})`
  return new OciError('ERR_CRIU', `criu failed: ${how}`, { hint: 'its log is in the directory of --work-path' })
}

/** The error for a failed request to systemd, from the log of this tool, which made the request. */
function systemdFailed(errno: string, { detail }: Failure, pointer: string | undefined): OciError {
  const said = /"msg":("(?:[^"\\]|\\.)*")/.exec(detail)?.[1]
  const text = said === undefined ? detail.trim() : String(JSON.parse(said))
  return new OciError('ERR_SYSTEMD', text === '' ? `systemd could not be asked (${errno})` : text, { pointer })
}

function hookEnd(step: Step, errno: string, failure: Failure): string {
  const signal = failure.status & 0x7f
  const status = failure.status >> 8
  if (errno === 'ETIMEDOUT') return 'context deadline exceeded: it took longer than its timeout'
  if (errno !== 'ECHILD') return `${errorText(failure.error)} (${errno})`
  if (signal !== 0) return `signal: ${signalName(signal)}`
  return status === 127 ? `"${textOf(step, 'path')}" cannot be executed (exit status 127)` : `exit status ${status}`
}

/** The name of a signal, in runc's words where callers match them. */
function signalName(signal: number): string {
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0]
  return name === 'SIGSYS' ? 'bad system call' : (name ?? String(signal))
}

/** The error for a failed connection. By EAGAIN connect(2) says that the listener's queue stayed full. */
function connectFailed(step: Step, errno: string, failure: Failure, pointer: string | undefined): OciError | undefined {
  const problem = errno === 'EAGAIN' ? 'it does not accept a connection' : `${errorText(failure.error)} (${errno})`
  if (step.from === '/linux/seccomp/listenerPath') {
    return new OciError('ERR_SYSCALL', `failed to connect with seccomp agent "${textOf(step, 'path')}": ${problem}`, {
      pointer,
      hint: 'start the agent first, or correct the path',
    })
  }
  if (errno !== 'EAGAIN') return undefined
  return new OciError('ERR_SYSCALL', `${step.from} "${textOf(step, 'path')}": connect: ${problem}`, {
    hint: 'have its listener accept connections',
  })
}

function agentIsSilent(pointer: string | undefined): OciError {
  return new OciError(
    'ERR_SYSCALL',
    'the seccomp agent does not answer a notification of the container, which is not created yet',
    {
      pointer,
      hint: 'have the agent answer each notification, or notify of fewer system calls',
    },
  )
}

/**
 * True for a host step that fails when the new process has ended, since it communicates with that process or names it.
 * Failures of hooks and files are their own.
 */
function needsNewProcess(step: Step): boolean {
  switch (step.op) {
    case 'clone':
    case 'sync_send':
    case 'sync_wait':
    case 'sync_within':
    case 'sync_closed':
    case 'receive_fd':
    case 'identify':
    case 'open_pidfd':
    case 'take_listener':
    case 'prlimit':
    case 'spawn_id_map':
      return true
    case 'send_fd':
      return step.operands.socket === null
    case 'spawn':
      return step.from === '/linux/cgroupsPath' // systemd, which is told the process
    case 'write_file':
      return (
        namesProcess(step.operands.path) ||
        (namesProcess(step.operands.content) && /\/(tasks|cgroup\.procs)$/.test(textOf(step, 'path')))
      )
    default:
      return namesProcess(step.operands.path)
  }
}

function namesProcess(text: AnyOperand | undefined): boolean {
  return Array.isArray(text) && text.some((piece) => typeof piece === 'object' && piece.register === 'pid')
}

/** The error for a new process that ended without a report: killed from outside, in most cases for lack of memory. */
function newProcessIsGone(steps: readonly NumberedStep[], { end, detail }: Failure): OciError {
  const status = end - 1
  const signal = status & 0x7f
  // The text of memory.events, or memory.oom_control on cgroup v1, which the program read before it removed the cgroup.
  if (/^oom_kill [1-9]/m.test(detail)) {
    return new OciError('ERR_SYSCALL', 'container init was OOM-killed (memory limit too low?)', {
      pointer: '/linux/resources/memory/limit',
      hint: 'raise the limit: the container needs more memory than that before its command runs',
    })
  }
  const makesContainer = steps.some(({ step }) => step.from === 'ID')
  const how = signal === 0 ? `exited with ${status >> 8}` : `was killed by signal ${signal}`
  return new OciError(
    'ERR_SYSCALL',
    `the ${makesContainer ? "container's first" : 'new'} process ${how} while it was being set up`,
    { hint: signal === 9 ? 'raise the memory limit if there is one: the container may have reached it' : undefined },
  )
}

/** The field of config.json and the thing it names: `mounts[3] (tmpfs on /dev/shm)`. */
function subject(step: Step): string {
  const field = step.from
    .replace(/^\//, '')
    .replace(/\/(\d+)(?=\/|$)/g, '[$1]')
    .replaceAll('/', '.')
  const thing = thingOf(step)
  if (field === '') return thing
  return thing === '' ? field : `${field} (${thing})`
}

function thingOf(step: Step): string {
  if (step.from === '--pid-file') return '{pid_file}' // whichever temporary name the step uses
  switch (step.op) {
    case 'mount':
      return `${textOf(step, 'type') || 'mount'} on ${textOf(step, 'path')}`
    case 'move_mount':
      return textOf(step, 'path')
    default:
      return textOf(step, 'path') || explainOperands(step).join(' ')
  }
}

function textOf(step: Step, operand: string): string {
  const value = step.operands[operand]
  if (typeof value === 'string') return value
  if (!Array.isArray(value)) return ''
  return value.map((piece) => (typeof piece === 'string' ? piece : `{${piece.register}}`)).join('')
}
