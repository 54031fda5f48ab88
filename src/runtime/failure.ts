import { noTerminal } from '../compile/terminal.ts'
import { OciError } from '../errors.ts'
import { explainOperands } from '../program/explain.ts'
import { resolveKind } from '../program/flags.ts'
import type { NumberedStep, Step } from '../program/program.ts'
import { errorName, errorText } from './error-names.ts'
import { hintFor } from './failure-hints.ts'
import { criuFailed, helperFailed, mapFailed } from './helper-failure.ts'
import { networkProgramFailed } from './network-failure.ts'
import { needsNewProcess, newProcessIsGone } from './new-process-failure.ts'
import { type Failure, textOf } from './reported-failure.ts'
import { stoppedContainer } from './stopped-container.ts'
import { syscallName } from './syscall-names.ts'

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
  return new OciError('ERR_SYSCALL', `${beginning(step)}${subject(step)}: ${how}`, {
    pointer: step.from.startsWith('/') ? step.from : undefined,
    hint: hintFor(step, errno, steps),
    cause: Object.assign(new Error(`step ${failure.step} of ${steps.length} (${step.op}), phase ${phase}`), {
      code: errno,
      errno: -failure.error,
      syscall: syscall ?? step.op,
      step: failure.step,
    }),
  })
}

/** The name of the failed system call; undefined when the step made none. */
function syscallOf({ syscall }: Failure): string | undefined {
  return syscall < 0 ? undefined : (syscallName(syscall) ?? `system call ${syscall}`)
}

/** True for a step of `exec` that looks at the container's first process, when that has ended since its state was read. */
function isOfStoppedContainer({ op, operands: { to, at, process } }: Step, errno: string): boolean {
  const looks = (op === 'open' && (to === 'init' || at === 'init')) || (op === 'expect_process' && process === 'init')
  return looks && (errno === 'ENOENT' || errno === 'ESRCH')
}

/** The words that runc begins with. */
function beginning({ from }: Step): string {
  if (from.startsWith('/mounts/')) return 'error mounting '
  return from === '/linux/cgroupsPath' ? 'unable to apply cgroup configuration: ' : ''
}

/** The errors whose text engines match, or whose cause is not the system call's. Their words are runc's. */
function specialCase({ step, phase }: NumberedStep, errno: string, failure: Failure): OciError | undefined {
  const pointer = step.from.startsWith('/') ? step.from : undefined
  if (errno === 'EINTR' && phase === 'host') return interrupted()
  if (isOfStoppedContainer(step, errno)) return stoppedContainer()
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
    case 'accompany':
    case 'ask':
    case 'expect_process':
      return networkProgramFailed(step, errno, failure)
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
