import type { NetworkProgram } from '../oci/network-annotations.ts'
import { hasCapability } from '../program/flags.ts'

/**
 * Facts about the host that `compile` needs. `host/facts.ts` gathers them; the files they are read from become guards of
 * a kept program.
 */
export interface HostFacts {
  /** `process.arch` of Node.js. */
  readonly arch: string
  readonly euid: number
  readonly egid: number
  /** Effective capabilities of the caller, one bit each. */
  readonly capabilities: bigint
  /** True when the caller is in a user namespace other than the initial one. */
  readonly inUserNamespace: boolean
  readonly cgroups: CgroupFacts
  /** True when the caller may make directories in this one, or in the nearest one above that is there. */
  readonly mayMakeIn: (directory: string) => boolean
  /** Set when AppArmor is enabled: the file in /proc/PID/attr that takes the profile for the next execve(2). */
  readonly appArmor?: { readonly attribute: 'apparmor/exec' | 'exec' } | undefined
  readonly hasSELinux: boolean
  /** Set when Intel RDT can be used. */
  readonly resctrl?: ResctrlFacts | undefined
  /** True when a block device has the I/O scheduler BFQ, the one that uses weights. */
  readonly hasBfq: boolean
  /** True when /proc/kcore exists, to which /dev/core links. */
  readonly hasKcore: boolean
  /** Paths of newuidmap(1) and newgidmap(1), if they are installed. */
  readonly idMapHelpers: { readonly uid?: string; readonly gid?: string }
  /** Finds the path of a program that is a container's way to the network; undefined if it is not installed. */
  readonly networkProgram: (name: NetworkProgram) => string | undefined
}

/** True for root that may make and join namespaces as it likes. Root of a container that an engine has made may not. */
export const isAdministrator = ({ euid, capabilities }: Pick<HostFacts, 'euid' | 'capabilities'>): boolean =>
  euid === 0 && hasCapability(capabilities, 'CAP_SYS_ADMIN')

/** True when the caller is root on the host, not only in a user namespace or in a container. */
export const isRootOfHost = (facts: HostFacts): boolean => isAdministrator(facts) && !facts.inUserNamespace

/** The resctrl filesystem and the resources that it allocates. @see kernel filesystems/resctrl.rst */
export interface ResctrlFacts {
  /** Absolute. */
  readonly mountPoint: string
  readonly hasCache: boolean
  readonly hasBandwidth: boolean
}

/** The hierarchies of control groups that containers are put into, and the caller's own cgroup in each. */
export interface CgroupFacts {
  /**
   * `v2`: the unified hierarchy is at /sys/fs/cgroup, or is mounted elsewhere without any of v1. `hybrid`: it is mounted
   * beside hierarchies of v1. `placeOf` finds the hierarchy of a controller.
   */
  readonly mode: 'v1' | 'hybrid' | 'v2' | 'none'
  readonly hierarchies: readonly CgroupHierarchy[]
  /** Controllers that the kernel has in hierarchies of v1, mounted or not, and which the unified one therefore lacks. */
  readonly v1Controllers: readonly string[]
}

export interface CgroupHierarchy {
  /** `cpu`, `cpuset` ..., or `name=systemd`; empty for the unified hierarchy. */
  readonly controllers: readonly string[]
  readonly isUnified: boolean
  /** True when it is mounted read-only, so that no cgroup can be made in it. */
  readonly isReadOnly: boolean
  /** Absolute, without a slash at the end: `/sys/fs/cgroup/cpu,cpuacct`. */
  readonly mountPoint: string
  /** The caller's own cgroup beneath the mount point: `/user.slice/...`; `/` is the mount point itself. */
  readonly own: string
}
