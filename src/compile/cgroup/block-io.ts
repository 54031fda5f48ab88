import type { BlockIO, ThrottleDevice } from '../../oci/runtime-config.ts'
import { collect, type Limit, type LimitHost, nonZero, unsupportedHere } from './limit.ts'

const throttles = [
  { field: 'throttleReadBpsDevice', v1: 'read_bps_device', v2: 'rbps' },
  { field: 'throttleWriteBpsDevice', v1: 'write_bps_device', v2: 'wbps' },
  { field: 'throttleReadIOPSDevice', v1: 'read_iops_device', v2: 'riops' },
  { field: 'throttleWriteIOPSDevice', v1: 'write_iops_device', v2: 'wiops' },
] as const

/** Block I/O limits for cgroup v1. @see kernel cgroup-v1/blkio-controller.rst, block/bfq-iosched.rst */
export function blockIOLimitsV1(blockIO: BlockIO, host: LimitHost): readonly Limit[] {
  const { limits, add } = collect()
  const file = isForBfq(blockIO, host) ? 'blkio.bfq.weight' : 'blkio.weight'
  add('blkio', file, nonZero(blockIO.weight), 'blockIO/weight')
  add('blkio', 'blkio.leaf_weight', nonZero(blockIO.leafWeight), 'blockIO/leafWeight')
  blockIO.weightDevice?.forEach((device, index) => {
    const field = `blockIO/weightDevice/${index}`
    add('blkio', `${file}_device`, forDevice(device, nonZero(device.weight)), `${field}/weight`)
    add('blkio', 'blkio.leaf_weight_device', forDevice(device, nonZero(device.leafWeight)), `${field}/leafWeight`)
  })
  for (const { field, v1 } of throttles) {
    blockIO[field]?.forEach((device, index) => {
      add('blkio', `blkio.throttle.${v1}`, forDevice(device, device.rate), `blockIO/${field}/${index}`)
    })
  }
  return limits
}

/** True when there are weights. Only then the host's I/O schedulers matter and are read. */
export function hasWeights({ weight, weightDevice = [] }: BlockIO): boolean {
  return Boolean(weight) || weightDevice.length > 0
}

function isForBfq(blockIO: BlockIO, host: LimitHost): boolean {
  return hasWeights(blockIO) && host.hasBfq
}

/**
 * Block I/O limits for cgroup v2.
 * @throws OciError `ERR_CONFIG_UNSUPPORTED` a leaf weight
 * @see kernel cgroup-v2.rst "IO Interface Files"
 */
export function blockIOLimitsV2(blockIO: BlockIO, host: LimitHost): readonly Limit[] {
  const { limits, add } = collect()
  const [file, convert] = isForBfq(blockIO, host) ? ['io.bfq.weight', String] : ['io.weight', weightToIO]
  const weight = (value: number | undefined): string | undefined => (value ? convert(value) : undefined)
  if (blockIO.leafWeight) throw unsupportedHere('blockIO/leafWeight', 2)
  add('io', file, weight(blockIO.weight), 'blockIO/weight')
  blockIO.weightDevice?.forEach((device, index) => {
    const field = `blockIO/weightDevice/${index}`
    if (device.leafWeight) throw unsupportedHere(`${field}/leafWeight`, 2)
    add('io', file, forDevice(device, weight(device.weight)), `${field}/weight`)
  })
  for (const { field, v2 } of throttles) {
    blockIO[field]?.forEach((device, index) => {
      add('io', 'io.max', forDevice(device, `${v2}=${rateOrMax(device)}`), `blockIO/${field}/${index}`)
    })
  }
  return limits
}

function forDevice(
  { major, minor }: { readonly major: number; readonly minor: number },
  value: number | bigint | string | undefined,
): string | undefined {
  return value === undefined ? undefined : `${major}:${minor} ${value}`
}

/** The rate for `io.max`: 0 is `max`, since it removes the limit on v1. */
function rateOrMax({ rate }: ThrottleDevice): string {
  return nonZero(rate) === undefined ? 'max' : String(rate)
}

/**
 * Converts a weight of v1 (10 to 1000) to one of `io.weight` (1 to 10000).
 * @see opencontainers/cgroups ConvertBlkIOToIOWeightValue
 */
export function weightToIO(weight: number): string {
  return String(1 + Math.floor(((weight - 10) * 9999) / 990))
}
