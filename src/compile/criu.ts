import { OciError } from '../errors.ts'
import { encodeMessage, type FieldValue, type Message } from './criu-message.ts'

/** Options that `checkpoint` and `restore` share. */
export interface CriuOptions {
  readonly tcpEstablished?: boolean | undefined
  readonly extUnixSk?: boolean | undefined
  readonly shellJob?: boolean | undefined
  readonly fileLocks?: boolean | undefined
  readonly autoDedup?: boolean | undefined
  readonly lazyPages?: boolean | undefined
  /** `soft`, `full`, `strict` or `ignore`; default: CRIU's own. */
  readonly manageCgroupsMode?: string | undefined
}

export interface DumpOptions extends CriuOptions {
  readonly leaveRunning?: boolean | undefined
  readonly tcpSkipInFlight?: boolean | undefined
  readonly linkRemap?: boolean | undefined
  readonly preDump?: boolean | undefined
  /** The directory of an earlier pre-dump's images, relative to the image directory. */
  readonly parentPath?: string | undefined
  readonly pageServer?: { readonly address: string; readonly port: number } | undefined
}

export interface CriuRestoreOptions extends CriuOptions {
  /** `TYPE:NAME`. */
  readonly lsmProfile?: string | undefined
  readonly lsmMountContext?: string | undefined
}

/**
 * A mount whose content belongs to the host. For a dump, `key` is its mount point and `value` its name in the images; for a
 * restore, `key` is that name and `value` the source.
 */
export interface ExternalMount {
  readonly key: string
  readonly value: string
}

/** Facts about a container that dump and restore requests share. */
export interface CriuContainer {
  /** Absolute. */
  readonly root: string
  readonly externalMounts: readonly ExternalMount[]
  /** A CRIU configuration file, whose options override those of the request. */
  readonly configFile?: string | undefined
}

/** Descriptors that the runner inherits for CRIU. `status` is for a dump; a restore has those of namespaces after `work`. */
export const criuFds = { images: 3, work: 4, status: 5 } as const

/** The answer to a notification, with which CRIU continues. */
export const proceed: Uint8Array = encodeMessage([
  [1, 6],
  [3, true],
])

const cgroupModes: Readonly<Record<string, number>> = { ignore: 0, soft: 3, full: 4, strict: 5 }
const defaultCgroupMode = 6
const newNetwork = 0x40000000

/**
 * Builds the request for a dump, or a pre-dump with `preDump`.
 * @throws OciError `ERR_USAGE` an unknown `manageCgroupsMode`
 */
export function dumpRequest(
  options: DumpOptions,
  container: CriuContainer & {
    readonly pid: number
    readonly freezer: string | undefined
    /** Namespaces that the container has joined: `net[INODE]:NAME`. */
    readonly external: readonly string[]
    readonly hasStatusFd: boolean
  },
): Uint8Array {
  const { preDump, pageServer } = options
  return request(preDump ? 4 : 1, [
    ...commonFields(options, container, 'dump.log'),
    [2, container.pid],
    [3, options.leaveRunning],
    [11, pageServer && pair(pageServer.address, pageServer.port)],
    [14, options.parentPath],
    [15, options.parentPath === undefined ? undefined : true],
    [18, options.linkRemap],
    ...repeated(37, container.external),
    [44, container.freezer],
    [46, options.tcpSkipInFlight],
    [49, container.hasStatusFd ? criuFds.status : undefined],
  ])
}

/**
 * Builds the request for a restore.
 * @throws OciError `ERR_USAGE` an unknown `manageCgroupsMode`
 */
export function restoreRequest(
  options: CriuRestoreOptions,
  container: CriuContainer & {
    /** Namespaces to join: the type by its name in /proc/PID/ns, and a file. */
    readonly joined: readonly { readonly type: string; readonly path: string }[]
    /** Descriptors of ours that replace descriptors and namespaces in the images. */
    readonly inherited: readonly { readonly key: string; readonly fd: number }[]
    /** The cgroup of each controller, relative to the mount point of its hierarchy. */
    readonly cgroupRoots: readonly { readonly controller: string; readonly path: string }[]
  },
): Uint8Array {
  return request(2, [
    ...commonFields(options, container, 'restore.log'),
    [6, true],
    [12, true],
    ...repeated(
      25,
      container.cgroupRoots.map(({ controller, path }) => pair(controller, path)),
    ),
    [26, true],
    ...repeated(
      27,
      container.inherited.map(({ key, fd }) => pair(key, fd)),
    ),
    ...repeated(
      39,
      container.joined.map(({ type, path }) => pair(type, path)),
    ),
    [53, options.lsmProfile],
    [63, options.lsmMountContext],
  ])
}

const request = (type: number, fields: Message): Uint8Array =>
  encodeMessage([
    [1, type],
    [2, fields],
  ])

/** Fields by their numbers in `criu_opts`. A new network namespace is left empty: the runtime does not restore devices. */
function commonFields(options: CriuOptions, container: CriuContainer, logFile: string): Message {
  return [
    [1, criuFds.images],
    [4, options.extUnixSk],
    [5, options.tcpEstablished],
    [7, options.shellJob],
    [8, options.fileLocks],
    [9, 4],
    [10, logFile],
    [13, container.root],
    [16, options.autoDedup],
    [17, criuFds.work],
    ...repeated(
      23,
      container.externalMounts.map(({ key, value }) => pair(key, value)),
    ),
    [24, true],
    [34, cgroupMode(options.manageCgroupsMode)],
    [38, newNetwork],
    [48, options.lazyPages],
    [50, true],
    [51, container.configFile],
  ]
}

const pair = (first: FieldValue, second: FieldValue): Message => [
  [1, first],
  [2, second],
]

const repeated = (number: number, values: readonly FieldValue[]): Message => values.map((value) => [number, value])

function cgroupMode(name: string | undefined): number {
  if (!name) return defaultCgroupMode
  const mode = Object.hasOwn(cgroupModes, name) ? cgroupModes[name] : undefined
  if (mode !== undefined) return mode
  throw new OciError('ERR_USAGE', `invalid manage-cgroups-mode value "${name}"`, {
    hint: `use one of ${Object.keys(cgroupModes).join(', ')}`,
  })
}
