import type { AttachTarget } from '../compile/cgroup/systemd.ts'
import { compileExecProgram, type ExecTarget, forAnyCommand } from '../compile/exec.ts'
import { isSystemError, OciError } from '../errors.ts'
import { Door } from '../host/door.ts'
import { readHostFacts } from '../host/facts.ts'
import { readFile } from '../host/read-file.ts'
import { changedProcess, type ProcessChanges } from '../oci/exec-process.ts'
import { maxRuntimeConfigBytes, parseProcess } from '../oci/runtime-config.ts'
import { absolute, absoluteRoot } from '../state-root.ts'
import { exactText } from '../text.ts'
import { registersOf } from './call-registers.ts'
import { joinableCgroups } from './cgroup/exec.ts'
import type { CompiledCall } from './compiled-call.ts'
import { inheritedFds } from './inherited-fds.ts'
import { describeCall, givenOptions } from './kept/call.ts'
import { seccompFilter } from './kept/filter.ts'
import { keepExecProgram } from './kept/program.ts'
import { readConfig } from './load-bundle.ts'
import { type ContainerRecord, readContainer, readStatus } from './state-file.ts'
import { stoppedContainer } from './stopped-container.ts'

/** The options of an `exec`; the container and the host provide the rest. */
export interface ExecCall extends ProcessChanges {
  /** The state root, with a directory for each container; default: `defaultRoot` of this process. */
  readonly root?: string | undefined
  readonly id: string
  /**
   * A file with the whole process (`process` of a config.json). Default: the container's own process with the given
   * changes.
   */
  readonly processFile?: string | undefined
  readonly detach?: boolean | undefined
  readonly pidFile?: string | undefined
  readonly consoleSocket?: string | undefined
  readonly pidfdSocket?: string | undefined
  readonly preserveFds?: number | undefined
  /** Cgroups below the container's own to put the process into: `[controller,...:]path`. */
  readonly cgroups?: readonly string[] | undefined
  readonly ignorePaused?: boolean | undefined
  readonly noSubreaper?: boolean | undefined
  readonly log?: ((level: 'debug' | 'info' | 'warning', message: string) => void) | undefined
}

/**
 * Compiles an `exec`. Its `keep` stores the program in the container's directory.
 *
 * @throws OciError `ERR_CONTAINER_NOT_FOUND`; `ERR_CONTAINER_STATUS` the container is stopped, being created, or paused
 *   without `ignorePaused`; `ERR_CONFIG_INVALID`; `ERR_USAGE`
 */
export async function compileExec(given: ExecCall): Promise<CompiledCall> {
  const options = givenOptions('exec', given)
  const preserveFds = inheritedFds({ preserveFds: options.preserveFds })
  const door = new Door()
  const root = absoluteRoot(options.root)
  const container = readContainer(root, options.id, door)
  await checkStatus(container, options)
  const config = readConfig(container.bundle, { configFile: container.configFile, door })
  const processText = options.processFile === undefined ? undefined : readProcessFile(options.processFile)
  const process = processText === undefined ? changedProcess(config.process, options) : parseProcess(processText)
  const target: ExecTarget = {
    ...container.init,
    namespaces: container.namespaces,
    cgroupPaths: options.cgroups?.length
      ? container.cgroupPaths
      : joinableCgroups(container.cgroupPaths, container.init.pid, door),
    resctrl: container.resctrl,
    unit: await attachTarget(container),
  }
  const facts = readHostFacts(door)
  let hasWarned = false
  const compileOptions = {
    config,
    bundle: container.bundle,
    mode: options.detach ? 'detached' : 'foreground',
    ...registersOf(options),
    pidfdSocket: absolute(options.pidfdSocket),
    preserveFds,
    subCgroups: options.cgroups,
    terminalOrigin: processText === undefined ? '--tty' : '--process',
    noSubreaper: options.noSubreaper,
    noNewKeyring: container.noNewKeyring,
    filter: await seccompFilter(config.linux?.seccomp, facts.arch, root),
    warn: (message: string) => {
      hasWarned = true
      options.log?.('warning', message)
    },
    debug: (message: string) => options.log?.('debug', message),
  } as const
  const program = compileExecProgram(process, target, compileOptions, facts)
  return {
    program,
    id: container.id,
    paths: options,
    preserveFds,
    cwd: undefined,
    keep() {
      const call = describeCall('exec', options)
      const guards = door.guards()
      if (hasWarned || target.unit !== undefined || call === undefined || guards === undefined) return
      keepExecProgram(forAnyCommand(program), { call, processText, directory: container.directory, guards })
    },
  }
}

/**
 * The unit whose manager moves the process to its cgroup; undefined when the runtime does. Root's runtime does; for a
 * user the user's manager does, since a user may not move a process from one session to another.
 */
async function attachTarget({ unit, cgroupPaths }: ContainerRecord): Promise<AttachTarget | undefined> {
  if (unit === undefined || unit.kind === 'system') return undefined
  const { internalCommand } = await import('./systemd-manager.ts')
  return { ...unit, cgroup: cgroupPaths[''] ?? '', command: internalCommand() }
}

async function checkStatus(container: ContainerRecord, { ignorePaused }: ExecCall): Promise<void> {
  const status = await readStatus(container)
  if (status === 'stopped') throw stoppedContainer()
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
