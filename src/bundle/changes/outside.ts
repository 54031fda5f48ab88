import type { ImageUser } from '../user.ts'

/** A device of the host, by its numbers. */
export interface HostDevice {
  readonly type: 'b' | 'c'
  readonly major: number
  readonly minor: number
  readonly fileMode: number
  readonly uid: number
  readonly gid: number
}

/** The machine that a filter is for. */
export interface Platform {
  /** As Node.js names it: `x64`, `arm64`. */
  readonly architecture: string
  /** The release of the kernel, e.g. `6.1.0-18-amd64`. */
  readonly kernel: string
}

/** The facts outside of config.json that changes depend on. */
export interface Surroundings {
  /** The caller's environment. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a file that a flag names, relative to the caller's directory. */
  readonly readText: (path: string) => string
  /** Looks a user up in the rootfs. @throws OciError `ERR_USER_UNKNOWN` */
  readonly lookUpUser: (text: string) => ImageUser
  /** @throws OciError `ERR_USAGE` no such signal */
  readonly parseSignal: (text: string) => number
  /** The absolute path of one that a flag names, relative to the caller's directory. */
  readonly absolutePath: (path: string) => string
  /** Looks at a path of the host; undefined where there is nothing. */
  readonly look: (path: string) => HostDevice | 'other' | undefined
  /** A port of the host on which nobody listens now. */
  readonly freePort: (protocol: 'tcp' | 'udp') => number
  /** The address of the host in the network that its default route leads to. */
  readonly hostAddress: () => string | undefined
  /** All devices below /dev but those that each container has of its own. */
  readonly hostDevices: () => readonly (HostDevice & { readonly path: string })[]
  readonly hasSELinux: boolean
  /** True in a user namespace, which does not own the host's network. */
  readonly inUserNamespace: boolean
  /** True where the kernel counts the swap of a cgroup. */
  readonly countsSwap: boolean
  readonly platform: Platform
  /** The text of the seccomp profile that engines on this host use; undefined where none is installed. */
  readonly engineSeccomp: () => string | undefined
  /** The last part of the bundle's path. */
  readonly bundleName: string
}
