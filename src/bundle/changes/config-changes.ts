/**
 * Changes of a config.json, by the names and in the values that docker and podman have for them. Each member is the flag of
 * the same name on the command line (`envFile` is `--env-file`), and takes the same text.
 */
export interface ConfigChanges {
  /** The words to run; an entrypoint stays before them. */
  readonly args?: readonly string[] | undefined
  /** One word, or a JSON array of words, that stands before `args`; empty for none. The image's own command goes with it. */
  readonly entrypoint?: string | undefined
  /** Files of `NAME=value` lines; `env` wins over them. */
  readonly envFile?: readonly string[] | undefined
  /** `NAME=value`, or `NAME` for the value that this process has, and for no such variable if it has none. */
  readonly env?: readonly string[] | undefined
  readonly workdir?: string | undefined
  /** `USER[:GROUP]`, ids or names that the rootfs knows. */
  readonly user?: string | undefined
  readonly tty?: boolean | undefined
  readonly hostname?: string | undefined
  readonly readOnly?: boolean | undefined
  readonly stopSignal?: string | undefined
  /** `NAME[=value]` */
  readonly label?: readonly string[] | undefined
  /** `NAME=value` */
  readonly annotation?: readonly string[] | undefined
  /**
   * `host`; `none`; `pasta` or `slirp4netns`, a network of its own by that program; `ns:PATH` for a network namespace that is
   * there; `container:ID` for that of a container of the same root. It takes away ports and name servers of an earlier one.
   */
  readonly network?: string | undefined
  /** `[IP:][HOSTPORT:]PORT[/tcp|udp]`; ports may be ranges. Only with `pasta` and `slirp4netns`. */
  readonly publish?: readonly string[] | undefined
  /** Addresses of name servers. */
  readonly dns?: readonly string[] | undefined
  readonly dnsSearch?: readonly string[] | undefined
  readonly dnsOption?: readonly string[] | undefined
  /** `NAME:IP`, or `NAME:host-gateway` for the address that the host has now. */
  readonly addHost?: readonly string[] | undefined
  /** `SOURCE:TARGET[:OPTIONS]`; a source that begins with `.` is relative to the directory of this process. */
  readonly volume?: readonly string[] | undefined
  /** `type=bind,source=S,target=T[,readonly]` or `type=tmpfs,target=T` */
  readonly mount?: readonly string[] | undefined
  /** `TARGET[:OPTIONS]` */
  readonly tmpfs?: readonly string[] | undefined
  /** A number of bytes, also with a unit: `64m`. */
  readonly shmSize?: string | number | undefined
  /** `PATH[:TARGET][:rwm]` */
  readonly device?: readonly string[] | undefined
  /** `NET_ADMIN`, `CAP_NET_ADMIN`, or `ALL` */
  readonly capAdd?: readonly string[] | undefined
  readonly capDrop?: readonly string[] | undefined
  /** All capabilities, devices and paths; default false. */
  readonly privileged?: boolean | undefined
  /** `seccomp=default`, `seccomp=FILE`, `apparmor=PROFILE`, `no-new-privileges`, `systempaths=unconfined` */
  readonly securityOpt?: readonly string[] | undefined
  /** `NAME=SOFT[:HARD]` */
  readonly ulimit?: readonly string[] | undefined
  /** `NAME=VALUE` */
  readonly sysctl?: readonly string[] | undefined
  /** A number of bytes, also with a unit: `1g`. */
  readonly memory?: string | number | undefined
  /** The same of memory and swap together; -1 is no limit of swap. */
  readonly memorySwap?: string | number | undefined
  readonly cpus?: string | number | undefined
  readonly cpuShares?: string | number | undefined
  /** -1 is no limit. */
  readonly pidsLimit?: string | number | undefined
  readonly cgroupParent?: string | undefined
}
