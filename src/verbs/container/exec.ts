import { constants } from 'node:os'
import type { AttachTarget } from '../../compile/cgroup/systemd.ts'
import { compileExecProgram, type ExecTarget, forAnyCommand } from '../../compile/exec.ts'
import { isSystemError, OciError } from '../../errors.ts'
import { Door } from '../../host/door.ts'
import { readHostFacts } from '../../host/facts.ts'
import { readFile } from '../../host/read-file.ts'
import { type Capabilities, maxRuntimeConfigBytes, type Process, parseProcess } from '../../oci/runtime-config.ts'
import { untilAborted } from '../../runtime/abort.ts'
import { registersOf } from '../../runtime/call-registers.ts'
import { sendSignal } from '../../runtime/cgroup/cgroup.ts'
import { joinableCgroups } from '../../runtime/cgroup/exec.ts'
import { inheritedFds } from '../../runtime/inherited-fds.ts'
import { describeCall, givenOptions } from '../../runtime/kept/call.ts'
import { keptFilters } from '../../runtime/kept/filter.ts'
import { keepExecProgram } from '../../runtime/kept/program.ts'
import type { OwnOptions } from '../../runtime/launch.ts'
import { readConfig } from '../../runtime/load-bundle.ts'
import { childrenOf } from '../../runtime/proc.ts'
import { type RunProgramOptions, runProgram } from '../../runtime/runner.ts'
import { withStages } from '../../runtime/stages.ts'
import { type ContainerRecord, readContainer, readStatus } from '../../runtime/state-file.ts'
import { absolute, absoluteRoot } from '../../state-root.ts'
import { exactText } from '../../text.ts'

export interface ExecOptions extends Pick<RunProgramOptions, 'stdio' | 'forwardSignals'> {
  /** Where containers' states are kept; default: `defaultRoot` of this process. */
  readonly root?: string | undefined
  readonly id: string
  /** A file with the whole process (`process` of a config.json); else it is the container's, changed by what follows. */
  readonly processFile?: string | undefined
  readonly args?: readonly string[] | undefined
  readonly cwd?: string | undefined
  /** `NAME=value`, after the container's own. */
  readonly env?: readonly string[] | undefined
  readonly terminal?: boolean | undefined
  /** `UID[:GID]`, numbers. */
  readonly user?: string | undefined
  readonly additionalGids?: readonly number[] | undefined
  /** Capabilities to add. */
  readonly capabilities?: readonly string[] | undefined
  readonly noNewPrivileges?: boolean | undefined
  readonly apparmorProfile?: string | undefined
  readonly selinuxLabel?: string | undefined
  readonly detach?: boolean | undefined
  readonly pidFile?: string | undefined
  readonly consoleSocket?: string | undefined
  readonly pidfdSocket?: string | undefined
  readonly preserveFds?: number | undefined
  /** Cgroups below the container's own to put the process into: `[controller,...:]path`. */
  readonly cgroups?: readonly string[] | undefined
  readonly ignorePaused?: boolean | undefined
  readonly noSubreaper?: boolean | undefined
  /** Kills the process when it is aborted. */
  readonly signal?: AbortSignal | undefined
  readonly log?: ((level: 'debug' | 'info' | 'warning', message: string) => void) | undefined
}

/**
 * Runs one more process in a container, and unless detached waits for its end.
 *
 * @returns its exit code, 128 + the signal that ended it, or 0 when detached
 * @throws OciError `ERR_CONTAINER_NOT_FOUND`, `ERR_CONTAINER_STATUS` it is stopped or being created, or paused and that is not ignored,
 *   `ERR_CONFIG_INVALID`, `ERR_COMMAND_NOT_FOUND`, `ERR_SYSCALL` ...; the reason of `signal` when that is aborted
 */
export async function exec({ signal, ...given }: ExecOptions & OwnOptions): Promise<number> {
  const options = givenOptions('exec', given)
  const preserveFds = inheritedFds({ preserveFds: options.preserveFds })
  const door = new Door()
  const container = readContainer(absoluteRoot(options.root), options.id, door)
  await checkStatus(container, options)
  const config = readConfig(container.bundle, { door })
  const processText = options.processFile === undefined ? undefined : readProcessFile(options.processFile)
  const process = processText === undefined ? changed(config.process, options) : parseProcess(processText)
  const target: ExecTarget = {
    ...container.init,
    namespaces: container.namespaces,
    cgroupPaths: options.cgroups?.length
      ? container.cgroupPaths
      : joinableCgroups(container.cgroupPaths, container.init.pid, door),
    resctrl: container.resctrl,
    unit: await attachTarget(container),
  }
  const mode = options.detach ? 'detached' : 'foreground'
  const facts = readHostFacts(door)
  let hasWarned = false
  const compileOptions = {
    config,
    bundle: container.bundle,
    mode,
    ...registersOf(options),
    pidfdSocket: absolute(options.pidfdSocket),
    preserveFds,
    subCgroups: options.cgroups,
    noSubreaper: options.noSubreaper,
    noNewKeyring: container.noNewKeyring,
    compileFilter: keptFilters(absoluteRoot(options.root)),
    warn: (message: string) => {
      hasWarned = true
      // A program that has failed was warned of when it was compiled for the first time.
      if (options.reports === undefined) options.log?.('warning', message)
    },
    debug: (message: string) => options.log?.('debug', message),
  } as const
  const program = compileExecProgram(process, target, compileOptions, facts)
  const call = describeCall('exec', options)
  const guards = door.guards()
  if (!hasWarned && target.unit === undefined && call !== undefined && guards !== undefined) {
    keepExecProgram(forAnyCommand(program), { call, processText, directory: container.directory, guards })
  }
  const run = (): ReturnType<typeof runProgram> =>
    runProgram(program, {
      id: container.id,
      paths: options,
      preserveFds,
      forwardSignals: options.forwardSignals ?? false,
      stdio: options.stdio,
      drain: mode === 'foreground',
      abort: signal && { signal, kill: killChildren },
      endsWithCaller: options.endsWithCaller,
      handOver: options.handOver,
      reports: options.reports,
      onLeftover: (message) => options.log?.('warning', message),
    })
  const outcome = await untilAborted(signal, () => withStages(program, { log: options.log, begins: 'setns_init' }, run))
  return outcome.kind === 'exited' ? outcome.status : 0
}

/** The runner of an exec has started nothing but its process, and what brings that into the container. */
function killChildren(runner: number): void {
  for (const child of childrenOf(runner)) sendSignal(child, constants.signals.SIGKILL)
}

function checkVariable(variable: string): string {
  if (variable.indexOf('=') > 0 && !variable.includes('\0')) return variable
  throw new OciError('ERR_USAGE', `invalid environment variable "${variable}": it must be NAME=value`)
}

/** Root moves the process itself; a user's manager does so for the user, who may not move it from one session to another. */
async function attachTarget({ unit, cgroupPaths }: ContainerRecord): Promise<AttachTarget | undefined> {
  if (unit === undefined || unit.kind === 'system') return undefined
  const { internalCommand } = await import('../../runtime/systemd-manager.ts')
  return { ...unit, cgroup: cgroupPaths[''] ?? '', command: internalCommand() }
}

async function checkStatus(container: ContainerRecord, { ignorePaused }: ExecOptions): Promise<void> {
  const status = await readStatus(container)
  if (status === 'stopped') throw new OciError('ERR_CONTAINER_STATUS', 'cannot exec in a stopped container')
  if (status === 'creating') {
    throw new OciError('ERR_CONTAINER_STATUS', 'cannot exec in a container that is being created', {
      hint: 'wait until it is created',
    })
  }
  if (status === 'paused' && !ignorePaused) {
    throw new OciError('ERR_CONTAINER_STATUS', 'cannot exec in a paused container', {
      hint: 'resume it first, or use --ignore-paused',
    })
  }
}

function readProcessFile(path: string): string {
  try {
    return exactText(readFile(path, { limit: maxRuntimeConfigBytes, anyKind: true }))
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    throw new OciError('ERR_USAGE', `the process file "${path}" cannot be read: ${cause.code}`, { cause })
  }
}

/** The container's process with what the caller wants different. @see runc exec.go "getProcess" */
function changed(process: Process, options: ExecOptions): Process {
  const { args = [] } = options
  if (args.length === 0) throw new OciError('ERR_USAGE', 'process args cannot be empty', { hint: 'name a command' })
  return {
    ...process,
    args,
    terminal: options.terminal ?? false,
    cwd: options.cwd ?? process.cwd,
    env: [...(process.env ?? []), ...(options.env ?? []).map(checkVariable)],
    user: {
      ...process.user,
      ...(options.user === undefined ? {} : parseUser(options.user)),
      additionalGids: [...(process.user.additionalGids ?? []), ...(options.additionalGids ?? [])],
    },
    capabilities: withCapabilities(process.capabilities, options.capabilities ?? []),
    noNewPrivileges: options.noNewPrivileges ?? process.noNewPrivileges,
    apparmorProfile: options.apparmorProfile ?? process.apparmorProfile,
    selinuxLabel: options.selinuxLabel ?? process.selinuxLabel,
    consoleSize: undefined,
  }
}

const maxId = 2 ** 32 - 2

/** Digits only, and in range: a name that became 0 would be root (CVE-2026-30892). */
function parseUser(text: string): { readonly uid: number; readonly gid?: number } {
  const [uid, gid] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text)?.slice(1).map(toId) ?? []
  if (uid === undefined || uid > maxId || (gid !== undefined && gid > maxId)) {
    throw new OciError('ERR_USAGE', `"${text}" is not UID[:GID]`, { hint: 'use numbers, as in 1000:1000' })
  }
  return { uid, ...(gid === undefined ? {} : { gid }) }
}

function toId(digits: string | undefined): number | undefined {
  return digits === undefined ? undefined : Number(digits)
}

/** Added ones are never inheritable, and ambient only where the container has inheritable ones (CVE-2022-29162). */
function withCapabilities(own: Capabilities = {}, added: readonly string[]): Capabilities {
  if (added.length === 0) return own
  const plus = (names: readonly string[] = []): readonly string[] => [...new Set([...names, ...added])]
  const hasInheritable = (own.inheritable ?? []).length > 0
  return {
    ...own,
    bounding: plus(own.bounding),
    effective: plus(own.effective),
    permitted: plus(own.permitted),
    ...(hasInheritable ? { ambient: plus(own.ambient) } : {}),
  }
}
