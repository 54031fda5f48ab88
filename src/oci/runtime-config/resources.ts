import {
  array,
  boolean,
  type Infer,
  object,
  oneOf,
  optional,
  record,
  refine,
  type Schema,
  string,
  withDefault,
} from '../schema.ts'
import { deviceNumber, i64, rare, u16, u32, u64 } from './values.ts'

const deviceRule = object({
  allow: withDefault(boolean, false),
  type: optional(oneOf('', 'a', 'b', 'c', 'p')),
  /** -1 or absent means any. */
  major: optional(deviceNumber),
  /** -1 or absent means any. */
  minor: optional(deviceNumber),
  access: optional(string),
})
export interface DeviceRule extends Infer<typeof deviceRule> {}

const memory = () =>
  object({
    /** In bytes; -1 means unlimited. */
    limit: optional(i64),
    /** In bytes; -1 means unlimited. */
    reservation: optional(i64),
    /** Memory and swap together, in bytes; -1 means unlimited. */
    swap: optional(i64),
    /** In bytes; -1 means unlimited. */
    kernel: optional(i64),
    /** In bytes; -1 means unlimited. */
    kernelTCP: optional(i64),
    swappiness: optional(u64),
    disableOOMKiller: optional(boolean),
    useHierarchy: optional(boolean),
    checkBeforeUpdate: optional(boolean),
  })
export interface Memory extends Infer<typeof memory> {}

const cpu = () =>
  object({
    shares: optional(u64),
    /** In microseconds; -1 means unlimited. */
    quota: optional(i64),
    /** In microseconds. */
    burst: optional(u64),
    /** In microseconds. */
    period: optional(u64),
    /** In microseconds. */
    realtimeRuntime: optional(i64),
    /** In microseconds. */
    realtimePeriod: optional(u64),
    cpus: optional(string),
    mems: optional(string),
    idle: optional(i64),
  })
export interface CPU extends Infer<typeof cpu> {}

const weightDevice = () =>
  object({
    major: deviceNumber,
    minor: deviceNumber,
    weight: optional(u16),
    leafWeight: optional(u16),
  })
export interface WeightDevice extends Infer<typeof weightDevice> {}

const throttleDevice = () =>
  object({
    major: deviceNumber,
    minor: deviceNumber,
    rate: u64,
  })
export interface ThrottleDevice extends Infer<typeof throttleDevice> {}

const blockIO = () => {
  const throttle = optional(array<ThrottleDevice>(throttleDevice()))
  return object({
    weight: optional(u16),
    leafWeight: optional(u16),
    weightDevice: optional(array<WeightDevice>(weightDevice())),
    throttleReadBpsDevice: throttle,
    throttleWriteBpsDevice: throttle,
    throttleReadIOPSDevice: throttle,
    throttleWriteIOPSDevice: throttle,
  })
}
export interface BlockIO extends Infer<typeof blockIO> {}

const network = () =>
  object({
    classID: optional(u32),
    priorities: optional(
      array(
        object({
          name: string,
          priority: u32,
        }),
      ),
    ),
  })
export interface NetworkResources extends Infer<typeof network> {}

const rdma = () =>
  object({
    hcaHandles: optional(u32),
    hcaObjects: optional(u32),
  })
export interface Rdma extends Infer<typeof rdma> {}

const hugepageLimit = () =>
  object({
    pageSize: refine(string, (size) => /^[1-9]\d*[KMG]B$/.test(size), 'must be a size such as 2MB or 1GB'),
    /** In bytes. */
    limit: u64,
  })

const members = object({
  devices: optional(array<DeviceRule>(deviceRule)),
  memory: rare<Memory>(memory),
  cpu: rare<CPU>(cpu),
  pids: rare(() =>
    object({
      limit: optional(i64),
    }),
  ),
  blockIO: rare<BlockIO>(blockIO),
  hugepageLimits: rare(() => array(hugepageLimit())),
  network: rare<NetworkResources>(network),
  /** The key is the name of the device. */
  rdma: rare(() => record<Rdma>(rdma())),
  /** The key is the name of a file of cgroup v2. */
  unified: optional(record(string)),
})

/** The limits of a cgroup: `linux.resources`, and the document of `update --resources`. */
export interface Resources extends Infer<typeof members> {}
export const resources: Schema<Resources> = members
