import { existsSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { isSystemError, OciError } from '../errors.ts'
import { Door } from '../host/door.ts'
import { checkJsonLimits, maxStateStrings } from '../oci/json-limits.ts'
import { maxRuntimeConfigBytes, type NamespaceType, type RuntimeConfig } from '../oci/runtime-config.ts'
import { startFifo, stateFile } from '../program/contract.ts'
import { type CgroupPaths, isFrozen } from './cgroup/cgroup.ts'
import { type ContainerID, parseContainerID } from './container-id.ts'
import { isAlive, isAliveSince } from './proc.ts'

/** The facts in a container's state.json, written by this tool or by runc, that are needed here. */
export interface ContainerRecord {
  readonly id: ContainerID
  /** `<root>/<id>`: state.json and, until the container is started, exec.fifo. */
  readonly directory: string
  /** The container's first process; pid 0 while there is none yet. */
  readonly init: { readonly pid: number; readonly startTime: number }
  /**
   * The process that creates, or created, the container, and the time at which it wrote this, in clock ticks from boot.
   * runc records none.
   */
  readonly creator: { readonly pid: number; readonly ticks: number }
  /** The file that was read instead of config.json of the bundle; undefined: none was. */
  readonly configFile: string | undefined
  /** Time of creation in RFC 3339. */
  readonly created: string
  readonly ociVersion: string
  readonly bundle: string
  readonly rootfs: string
  readonly annotations: Readonly<Record<string, string>>
  readonly cgroupPaths: CgroupPaths
  /** The unit that systemd made for the container, if any. */
  readonly unit: ContainerUnit | undefined
  /** The container's groups of resctrl; with `isOwn` they are removed with it. */
  readonly resctrl:
    | { readonly path: string; readonly monitoring?: string | undefined; readonly isOwn: boolean }
    | undefined
  /** The types of namespaces that are not the host's, in the runtime-spec's terms. */
  readonly namespaces: readonly NamespaceType[]
  /** True when the kernel kills every process of the container when its first one ends. */
  readonly hasOwnPidNamespace: boolean
  /** True when its processes keep the caller's session keyring. */
  readonly noNewKeyring: boolean
  /** True when cgroups are used only as far as the caller's permissions allow. */
  readonly rootlessCgroups: boolean
  readonly poststartHooks: readonly HookCommand[]
  readonly poststopHooks: readonly HookCommand[]
}

/** A unit of the system's service manager, or of the caller's own. */
export interface ContainerUnit {
  readonly kind: 'system' | 'user'
  readonly name: string
}

export interface HookCommand {
  readonly path: string
  readonly args: readonly string[]
  /** The environment; undefined means the runtime's. */
  readonly env: readonly string[] | undefined
  readonly timeoutMs: number | undefined
}

export type ContainerStatus = 'creating' | 'created' | 'running' | 'paused' | 'stopped'

/**
 * Reads the record of a container.
 *
 * @throws OciError `ERR_CONTAINER_NOT_FOUND` there is no container of this ID, or only the rest of a failed create;
 *   `ERR_STATE_INVALID` its state.json is damaged
 */
export function readContainer(root: string, id: string, door: Door = new Door()): ContainerRecord {
  const directory = join(root, parseContainerID(id))
  const text = readStateText(directory, door)
  // An empty file is left by a create that was killed between making the file and writing it.
  if (text === undefined || text === '') throw containerNotFound(id)
  return parseStateJson(text, directory)
}

export const containerNotFound = (id: string): OciError =>
  new OciError('ERR_CONTAINER_NOT_FOUND', `container does not exist: "${id}"`, {
    hint: 'list the containers with `bundle-tool list`',
  })

/** True while the container is being created: it has no first process yet, and the process that creates it is alive. */
export function isCreating({ init, creator }: ContainerRecord): boolean {
  return init.pid === 0 && isAliveSince(creator)
}

/**
 * The status of a container, determined from its processes and its cgroup.
 *
 * It is `creating` while its creator is alive, and `stopped` when the creator was killed; `paused` when its cgroup is
 * frozen, whatever its processes are; `created` while its first process waits at exec.fifo; `stopped` when no process
 * has its pid and start time, or that one is only waiting to be reaped.
 */
export async function readStatus(container: ContainerRecord): Promise<ContainerStatus> {
  if (container.init.pid === 0) return isCreating(container) ? 'creating' : 'stopped'
  if (await isFrozen(container.cgroupPaths)) return 'paused'
  if (!isAlive(container.init)) return 'stopped'
  return existsSync(join(container.directory, startFifo)) ? 'created' : 'running'
}

/** True for a status in which a container has processes, which can be watched and limited. */
export const hasProcesses = (status: ContainerStatus): boolean => status !== 'creating' && status !== 'stopped'

/** A state.json that runc wrote repeats config.json in another form, and may be as long. */
const maxStateBytes = 2 * maxRuntimeConfigBytes

function readStateText(directory: string, door: Door): string | undefined {
  try {
    if (!lstatSync(directory).isDirectory()) return undefined
    return door.read(join(directory, stateFile), maxStateBytes).toString()
  } catch (error) {
    if (error instanceof OciError) throw new OciError('ERR_STATE_INVALID', error.message, { cause: error })
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return undefined
    if (isSystemError(error, 'EACCES')) {
      throw new OciError('ERR_PERMISSION', `unable to read "${directory}": permission denied`, { cause: error })
    }
    throw error
  }
}

/**
 * Reads a state.json.
 *
 * @param directory the directory of the file; its last component is the ID
 * @throws OciError `ERR_STATE_INVALID`, whose message names the file and the field
 * @see runc libcontainer/container_linux.go "State"
 */
export function parseStateJson(text: string, directory: string): ContainerRecord {
  const file = join(directory, stateFile)
  const state = new Fields(parseJson(text, file), file)
  const config = state.object('config')
  const { bundle, annotations } = splitLabels(config.strings('labels'))
  return {
    id: parseContainerID(state.string('id')),
    directory,
    init: { pid: state.number('init_process_pid'), startTime: state.number('init_process_start') },
    creator: creatorOf(state.object('creator')),
    configFile: state.object('creator').string('configFile') || undefined,
    created: state.string('created'),
    ociVersion: config.string('version'),
    bundle,
    rootfs: config.string('rootfs'),
    annotations,
    cgroupPaths: state.stringMap('cgroup_paths'),
    unit: unitOf(config.object('cgroups')),
    resctrl: resctrlOf(state, config),
    hasOwnPidNamespace: config
      .list('namespaces')
      .some((item) => item.string('type') === 'NEWPID' && !item.string('path')),
    noNewKeyring: config.boolean('no_new_keyring'),
    rootlessCgroups: config.boolean('rootless_cgroups'),
    namespaces: config.list('namespaces').flatMap((item) => namespaceTypes[item.string('type')] ?? []),
    poststartHooks: hooksOf(config, 'poststart'),
    poststopHooks: hooksOf(config, 'poststop'),
  }
}

const creatorOf = (creator: Fields): ContainerRecord['creator'] => ({
  pid: creator.number('pid'),
  ticks: creator.number('ticks'),
})

function resctrlOf(state: Fields, config: Fields): ContainerRecord['resctrl'] {
  const [path, monitoring] = [state.string('intel_rdt_path'), state.string('intel_rdt_mon_path')]
  if (path === '') return undefined
  return { path, monitoring: monitoring || undefined, isOwn: config.object('intel_rdt').string('closID') === '' }
}

/** @see runc libcontainer/cgroups/systemd "getUnitName" */
function unitOf(cgroups: Fields): ContainerUnit | undefined {
  if (!cgroups.boolean('Systemd')) return undefined
  const [name, prefix] = [cgroups.string('name'), cgroups.string('scope_prefix')]
  return {
    kind: cgroups.boolean('Rootless') ? 'user' : 'system',
    name: name.endsWith('.slice') ? name : `${prefix === '' ? '' : `${prefix}-`}${name}.scope`,
  }
}

const namespaceTypes: Readonly<Record<string, NamespaceType>> = {
  NEWUSER: 'user',
  NEWIPC: 'ipc',
  NEWUTS: 'uts',
  NEWNET: 'network',
  NEWPID: 'pid',
  NEWNS: 'mount',
  NEWCGROUP: 'cgroup',
  NEWTIME: 'time',
}

function hooksOf(config: Fields, kind: string): readonly HookCommand[] {
  return config
    .object('Hooks')
    .list(kind)
    .map((hook) => ({
      path: hook.string('path'),
      args: hook.strings('args'),
      env: hook.has('env') ? hook.strings('env') : undefined,
      timeoutMs: hook.number('timeout') / 1e6 || undefined,
    }))
}

/** The labels in which runc keeps the annotations and the bundle: `key=value`. */
export const labelsOf = ({ annotations = {} }: RuntimeConfig, bundle: string): readonly string[] => [
  ...Object.entries(annotations).map((pair) => pair.join('=')),
  `bundle=${bundle}`,
]

/** Splits labels into annotations, `key=value`, and the bundle, which is the last label named `bundle`. */
export function splitLabels(labels: readonly string[]): { bundle: string; annotations: Record<string, string> } {
  let bundle = ''
  const annotations: Record<string, string> = {}
  for (const label of labels) {
    const split = label.indexOf('=')
    const [key, value] = split < 0 ? [label, ''] : [label.slice(0, split), label.slice(split + 1)]
    if (key === 'bundle') bundle = value
    else annotations[key] = value
  }
  return { bundle, annotations }
}

function parseJson(text: string, file: string): unknown {
  try {
    checkJsonLimits(text, maxStateStrings)
    return JSON.parse(text)
  } catch (cause) {
    throw new OciError('ERR_STATE_INVALID', `"${file}" is not JSON`, { cause })
  }
}

/** An object of state.json. As for Go, an absent field and null are the zero value; another type is an error. */
export class Fields {
  readonly #value: Readonly<Record<string, unknown>>
  readonly #where: string

  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(where, 'an object')
    this.#value = value as Record<string, unknown>
    this.#where = where
  }

  has(key: string): boolean {
    return (this.#value[key] ?? undefined) !== undefined
  }

  string(key: string): string {
    const value = this.#value[key] ?? ''
    if (typeof value !== 'string') throw invalid(`${this.#where}: ${key}`, 'a string')
    return value
  }

  number(key: string): number {
    const value = this.#value[key] ?? 0
    if (typeof value !== 'number') throw invalid(`${this.#where}: ${key}`, 'a number')
    return value
  }

  boolean(key: string): boolean {
    const value = this.#value[key] ?? false
    if (typeof value !== 'boolean') throw invalid(`${this.#where}: ${key}`, 'true or false')
    return value
  }

  object(key: string): Fields {
    return new Fields(this.#value[key] ?? {}, `${this.#where}: ${key}`)
  }

  list(key: string): readonly Fields[] {
    return this.#array(key).map((item, index) => new Fields(item, `${this.#where}: ${key}[${index}]`))
  }

  strings(key: string): readonly string[] {
    return this.#array(key).map((item, index) => {
      if (typeof item !== 'string') throw invalid(`${this.#where}: ${key}[${index}]`, 'a string')
      return item
    })
  }

  stringMap(key: string): Readonly<Record<string, string>> {
    const fields = this.object(key)
    return Object.fromEntries(Object.keys(fields.#value).map((name) => [name, fields.string(name)]))
  }

  #array(key: string): readonly unknown[] {
    const value = this.#value[key] ?? []
    if (!Array.isArray(value)) throw invalid(`${this.#where}: ${key}`, 'a list')
    return value
  }
}

/** All fields of a container's state.json. @throws OciError `ERR_STATE_INVALID` */
export function readStateFields(directory: string): Fields {
  const file = join(directory, stateFile)
  return new Fields(parseJson(new Door().read(file, maxStateBytes).toString(), file), file)
}

const invalid = (where: string, wanted: string): OciError =>
  new OciError('ERR_STATE_INVALID', `${where} is not ${wanted}`)
