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

/** The resctrl filesystem, and what it allocates. @see kernel filesystems/resctrl.rst */
export interface ResctrlFacts {
  /** Absolute. */
  readonly mountPoint: string
  readonly hasCache: boolean
  readonly hasBandwidth: boolean
}

/** Where control groups are mounted, and the caller's own in each hierarchy. */
export interface CgroupFacts {
  readonly mode: 'v1' | 'hybrid' | 'v2' | 'none'
  readonly hierarchies: readonly CgroupHierarchy[]
}

export interface CgroupHierarchy {
  /** `cpu`, `cpuset` ..., or `name=systemd`; empty for the unified hierarchy. */
  readonly controllers: readonly string[]
  readonly isUnified: boolean
  /** Absolute, without a slash at the end: `/sys/fs/cgroup/cpu,cpuacct`. */
  readonly mountPoint: string
  /** The caller's own cgroup beneath the mount point: `/user.slice/...`; `/` is the mount point itself. */
  readonly own: string
}
