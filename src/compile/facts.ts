/**
 * What `compile` needs to know of the host. Gathered once by `host/facts.ts`; each fact is also a guard of a
 * kept program.
 */
export interface HostFacts {
  /** As `process.arch` has it. */
  readonly arch: string
  readonly euid: number
  readonly egid: number
  /** Effective capabilities of the caller, a bit each. */
  readonly capabilities: bigint
  /** Whether the caller is in a user namespace other than the first. */
  readonly inUserNamespace: boolean
  readonly cgroups: CgroupFacts
  /** Where it is enabled: the file of /proc/PID/attr that takes the profile for the next execve(2). */
  readonly appArmor?: { readonly attribute: 'apparmor/exec' | 'exec' } | undefined
  readonly hasSELinux: boolean
  /** Where Intel RDT can be used. */
  readonly resctrl?: ResctrlFacts | undefined
  /** Whether BFQ is among the I/O schedulers of the block devices: it is the one that heeds weights. */
  readonly hasBfq: boolean
  /** Whether /proc/kcore is there: only then /dev/core leads somewhere. */
  readonly hasKcore: boolean
  /** newuidmap(1) and newgidmap(1), where they are installed. */
  readonly idMapHelpers: { readonly uid?: string; readonly gid?: string }
}

/** Whether the caller's rights are over the host, not over a user namespace of it. */
export const isRootOfHost = ({ euid, inUserNamespace }: HostFacts): boolean => euid === 0 && !inUserNamespace

/** The resctrl filesystem, and what it allocates. @see kernel filesystems/resctrl.rst */
export interface ResctrlFacts {
  /** Absolute. */
  readonly mountPoint: string
  readonly hasCache: boolean
  readonly hasBandwidth: boolean
}

/** The hierarchies of control groups that containers are put into, and the caller's own cgroup in each. */
export interface CgroupFacts {
  /**
   * `v2`: the unified hierarchy alone, which is at /sys/fs/cgroup, or mounted elsewhere and nothing of v1 with it. `hybrid`:
   * it is beside those of v1. In which hierarchy a controller is: see `placeOf`.
   */
  readonly mode: 'v1' | 'hybrid' | 'v2' | 'none'
  readonly hierarchies: readonly CgroupHierarchy[]
  /** What the kernel has in hierarchies of v1, wherever and whether these are mounted: the unified one is without it. */
  readonly v1Controllers: readonly string[]
}

export interface CgroupHierarchy {
  /** `cpu`, `cpuset` ..., or `name=systemd`; empty for the unified hierarchy. */
  readonly controllers: readonly string[]
  readonly isUnified: boolean
  /** Whether it is mounted read-only: no cgroup can be made there. */
  readonly isReadOnly: boolean
  /** Absolute, without a slash at the end: `/sys/fs/cgroup/cpu,cpuacct`. */
  readonly mountPoint: string
  /** The caller's own cgroup beneath the mount point: `/user.slice/...`; `/` is the mount point itself. */
  readonly own: string
}
