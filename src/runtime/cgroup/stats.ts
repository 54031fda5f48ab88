import type { Integer } from '../../oci/json.ts'
import type { ResctrlStats } from './resctrl-stats.ts'

/**
 * The resource usage of a container, in runc's members and their order; absent members are zero, empty or unknown.
 * Times are in nanoseconds, amounts in bytes.
 * @see runc types/events.go
 */
export interface CgroupStats {
  readonly cpu: {
    readonly usage: {
      readonly total?: Integer | undefined
      readonly percpu?: readonly Integer[] | undefined
      readonly percpu_kernel?: readonly Integer[] | undefined
      readonly percpu_user?: readonly Integer[] | undefined
      readonly kernel: Integer
      readonly user: Integer
    }
    readonly throttling: {
      readonly periods?: Integer | undefined
      readonly throttledPeriods?: Integer | undefined
      readonly throttledTime?: Integer | undefined
    }
    readonly psi?: Pressure | undefined
  }
  readonly cpuset: Readonly<Record<string, Integer | readonly number[]>>
  readonly memory: {
    readonly cache?: Integer | undefined
    readonly usage: MemoryUsage
    /** Memory and swap together. */
    readonly swap: MemoryUsage
    readonly kernel: MemoryUsage
    readonly kernelTCP: MemoryUsage
    readonly raw?: Readonly<Record<string, Integer>> | undefined
    readonly psi?: Pressure | undefined
  }
  readonly pids: { readonly current?: Integer | undefined; readonly limit?: Integer | undefined }
  readonly blkio: {
    readonly ioServiceBytesRecursive?: readonly BlockIOEntry[] | undefined
    readonly ioServicedRecursive?: readonly BlockIOEntry[] | undefined
    readonly ioQueueRecursive?: readonly BlockIOEntry[] | undefined
    readonly ioServiceTimeRecursive?: readonly BlockIOEntry[] | undefined
    readonly ioWaitTimeRecursive?: readonly BlockIOEntry[] | undefined
    readonly ioMergedRecursive?: readonly BlockIOEntry[] | undefined
    readonly ioTimeRecursive?: readonly BlockIOEntry[] | undefined
    readonly sectorsRecursive?: readonly BlockIOEntry[] | undefined
    readonly psi?: Pressure | undefined
  }
  /** Usage by page size. */
  readonly hugetlb: Readonly<Record<string, HugePageUsage>>
  readonly intel_rdt: ResctrlStats
  readonly network_interfaces: null
}

export interface MemoryUsage {
  /** No limit is 2^64-1, or on v1 2^63 less a page. */
  readonly limit: Integer
  readonly usage?: Integer | undefined
  readonly max?: Integer | undefined
  readonly failcnt: Integer
}

export interface HugePageUsage {
  readonly usage?: Integer | undefined
  readonly max?: Integer | undefined
  readonly failcnt: Integer
}

export interface BlockIOEntry {
  readonly major?: number | undefined
  readonly minor?: number | undefined
  readonly op?: string | undefined
  readonly value?: Integer | undefined
}

/** The time that processes have waited for a resource. @see kernel accounting/psi.rst */
export interface Pressure {
  readonly some: PressureAverages
  readonly full: PressureAverages
}

export interface PressureAverages {
  readonly avg10: number
  readonly avg60: number
  readonly avg300: number
  readonly total: Integer
}
