import { capAdd, capDrop } from './capabilities.ts'
import type { ConfigChanges } from './config-changes.ts'
import { device } from './devices.ts'
import { annotation, hostname, label, readOnly, stopSignal } from './document.ts'
import type { Flag, ListFlag, SwitchFlag, TextFlag } from './flag.ts'
import { cgroupParent, cpuShares, cpus, memory, memorySwap, pidsLimit, sysctl, ulimit } from './limits.ts'
import { mount, shmSize, tmpfs, volume } from './mounts.ts'
import { addHost, dns, dnsOption, dnsSearch, network, publish } from './network.ts'
import { entrypoint, env, envFile, tty, user, workdir } from './process.ts'
import { privileged, securityOpt } from './rights.ts'

type FlagFor<Value> = [Value] extends [boolean] ? SwitchFlag : [Value] extends [readonly string[]] ? ListFlag : TextFlag

/** The members of `ConfigChanges` that are flags; `args` are the words behind `--`. */
export type FlagProperty = keyof Omit<ConfigChanges, 'args'>

/**
 * Every flag that changes config.json, in the order in which they are applied: command lines, help, manual pages, completions,
 * docs/config.md and the library follow from this table.
 */
const flags: { readonly [Name in FlagProperty]-?: FlagFor<NonNullable<ConfigChanges[Name]>> } = {
  entrypoint,
  envFile,
  env,
  workdir,
  user,
  tty,
  hostname,
  readOnly,
  stopSignal,
  label,
  annotation,
  volume,
  mount,
  tmpfs,
  shmSize,
  device,
  // After the mounts, since what is mounted at /etc/hosts by a flag stays.
  network,
  // Each of these needs the network.
  publish,
  dns,
  dnsSearch,
  dnsOption,
  addHost,
  // Rights are dropped before others are added: --cap-drop ALL --cap-add CHOWN. A seccomp profile depends on both.
  privileged,
  capDrop,
  capAdd,
  securityOpt,
  ulimit,
  sysctl,
  memory,
  memorySwap,
  cpus,
  cpuShares,
  pidsLimit,
  cgroupParent,
}

/** A flag with its name on the command line, and in the library. */
export interface NamedFlag {
  readonly name: string
  readonly property: FlagProperty
  readonly flag: Flag
}

const isProperty = (name: string): name is FlagProperty => Object.hasOwn(flags, name)

export const configFlags: readonly NamedFlag[] = Object.keys(flags)
  .filter(isProperty)
  .map((property) => ({
    name: property.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
    property,
    flag: flags[property],
  }))
