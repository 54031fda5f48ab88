import { array, boolean, type Infer, integer, object, oneOf, optional, record, type Schema, string } from '../schema.ts'
import { resources } from './resources.ts'
import { seccomp } from './seccomp.ts'
import { cString, cStrings, filled, i64, id, idMappings, rare, strings, u32 } from './values.ts'

const namespace = object({
  type: oneOf('pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time'),
  /** The namespace to join; without a path a new one is made. */
  path: optional(cString),
})
export interface Namespace extends Infer<typeof namespace> {}
export type NamespaceType = Namespace['type']

const device = () =>
  object({
    path: filled,
    /** `u` is an unbuffered character device, the same as `c`. */
    type: oneOf('c', 'b', 'u', 'p'),
    // The kernel truncates larger numbers, to those of another device (linux/kdev_t.h).
    major: optional(integer(0, 2 ** 12 - 1)),
    minor: optional(integer(0, 2 ** 20 - 1)),
    fileMode: optional(u32),
    uid: optional(id),
    gid: optional(id),
  })
export interface Device extends Infer<typeof device> {}

const netDevice = () =>
  object({
    /** The name in the container. */
    name: optional(string),
  })

const intelRdt = () =>
  object({
    closID: optional(string),
    schemata: strings,
    l3CacheSchema: optional(string),
    memBwSchema: optional(string),
    enableMonitoring: optional(boolean),
  })
export interface IntelRdt extends Infer<typeof intelRdt> {}

const memoryPolicy = () =>
  object({
    /** The name as in linux/mempolicy.h, such as `MPOL_BIND`. */
    mode: optional(string),
    nodes: optional(string),
    /** Names as in linux/mempolicy.h, such as `MPOL_F_STATIC_NODES`. */
    flags: strings,
  })
export interface MemoryPolicy extends Infer<typeof memoryPolicy> {}

const personality = () =>
  object({
    domain: oneOf('LINUX', 'LINUX32'),
    flags: strings,
  })

const timeOffset = () =>
  object({
    secs: optional(i64),
    nanosecs: optional(u32),
  })

const members = object({
  uidMappings: idMappings,
  gidMappings: idMappings,
  sysctl: optional(record(string)),
  resources: optional(resources),
  cgroupsPath: optional(cString),
  namespaces: optional(array<Namespace>(namespace)),
  devices: rare(() => array<Device>(device())),
  /** The key is the name on the host. */
  netDevices: rare(() => record(netDevice())),
  seccomp: rare(seccomp),
  /** One of `private`, `shared`, `slave`, `unbindable`, or its recursive form (`rprivate` ...), which runc accepts too. */
  rootfsPropagation: optional(string),
  maskedPaths: cStrings,
  readonlyPaths: cStrings,
  mountLabel: optional(cString),
  intelRdt: rare<IntelRdt>(intelRdt),
  memoryPolicy: rare<MemoryPolicy>(memoryPolicy),
  personality: rare(personality),
  /** The key is the clock: `monotonic` or `boottime`. */
  timeOffsets: rare(() => record(timeOffset())),
})
export interface Linux extends Infer<typeof members> {}
export const linux: Schema<Linux> = members
