import { mountAttributes, mountFlags } from '../../program/flags.ts'

/** The options of a mount, sorted by the system call that applies them. */
export interface ParsedMountOptions {
  /** MS_* flags to set. */
  readonly flags: number
  /** MS_* flags that an option asks to clear (`rw`, `dev`, ...). */
  readonly cleared: number
  /** MS_SHARED and so on, each with MS_REC where asked; applied in order. */
  readonly propagation: readonly number[]
  /** MOUNT_ATTR_* to set and to clear on the mount and all below it (`rro`, ...). */
  readonly recursive: { readonly set: number; readonly clear: number }
  readonly copyUp: boolean
  /** Set when ids are mapped: `ridmap` maps them on mounts below it too. */
  readonly idMapping: 'idmap' | 'ridmap' | undefined
  /** The mapping that follows `idmap=`, in crun's notation; undefined: that of the mount or of the user namespace. */
  readonly idMap: string | undefined
  /** Options of crun's for symbolic links at one of the ends of a bind mount. */
  readonly links: ReadonlySet<LinkOption>
  /** The other options, which the filesystem interprets: `mode=755,size=65536k`. */
  readonly data: string
}

/**
 * Options for symbolic links.
 *
 * - `copy-symlink`: a link at the source is made anew at the destination, instead of a mount
 * - `src-nofollow`, `dest-nofollow`: a link at the source, or at the destination, is itself what is mounted, or covered
 */
export const linkOptions = ['copy-symlink', 'src-nofollow', 'dest-nofollow'] as const
export type LinkOption = (typeof linkOptions)[number]

const isLinkOption = (option: string): option is LinkOption => (linkOptions as readonly string[]).includes(option)

type Change = readonly [change: 'set' | 'clear', flag: number]

const flags: Readonly<Record<string, Change>> = {
  async: ['clear', mountFlags.SYNCHRONOUS],
  atime: ['clear', mountFlags.NOATIME],
  bind: ['set', mountFlags.BIND],
  defaults: ['set', 0],
  dev: ['clear', mountFlags.NODEV],
  diratime: ['clear', mountFlags.NODIRATIME],
  dirsync: ['set', mountFlags.DIRSYNC],
  exec: ['clear', mountFlags.NOEXEC],
  iversion: ['set', 0x800000],
  lazytime: ['set', mountFlags.LAZYTIME],
  loud: ['clear', mountFlags.SILENT],
  mand: ['set', mountFlags.MANDLOCK],
  noatime: ['set', mountFlags.NOATIME],
  nodev: ['set', mountFlags.NODEV],
  nodiratime: ['set', mountFlags.NODIRATIME],
  noexec: ['set', mountFlags.NOEXEC],
  noiversion: ['clear', 0x800000],
  nolazytime: ['clear', mountFlags.LAZYTIME],
  nomand: ['clear', mountFlags.MANDLOCK],
  norelatime: ['clear', mountFlags.RELATIME],
  nostrictatime: ['clear', mountFlags.STRICTATIME],
  nosuid: ['set', mountFlags.NOSUID],
  nosymfollow: ['set', mountFlags.NOSYMFOLLOW],
  rbind: ['set', mountFlags.BIND | mountFlags.REC],
  relatime: ['set', mountFlags.RELATIME],
  remount: ['set', mountFlags.REMOUNT],
  ro: ['set', mountFlags.RDONLY],
  rw: ['clear', mountFlags.RDONLY],
  silent: ['set', mountFlags.SILENT],
  strictatime: ['set', mountFlags.STRICTATIME],
  suid: ['clear', mountFlags.NOSUID],
  symfollow: ['clear', mountFlags.NOSYMFOLLOW],
  sync: ['set', mountFlags.SYNCHRONOUS],
}

const propagation: Readonly<Record<string, number>> = {
  private: mountFlags.PRIVATE,
  shared: mountFlags.SHARED,
  slave: mountFlags.SLAVE,
  unbindable: mountFlags.UNBINDABLE,
  rprivate: mountFlags.PRIVATE | mountFlags.REC,
  rshared: mountFlags.SHARED | mountFlags.REC,
  rslave: mountFlags.SLAVE | mountFlags.REC,
  runbindable: mountFlags.UNBINDABLE | mountFlags.REC,
}

const recursive: Readonly<Record<string, Change>> = {
  rro: ['set', mountAttributes.RDONLY],
  rrw: ['clear', mountAttributes.RDONLY],
  rnosuid: ['set', mountAttributes.NOSUID],
  rsuid: ['clear', mountAttributes.NOSUID],
  rnodev: ['set', mountAttributes.NODEV],
  rdev: ['clear', mountAttributes.NODEV],
  rnoexec: ['set', mountAttributes.NOEXEC],
  rexec: ['clear', mountAttributes.NOEXEC],
  rnodiratime: ['set', mountAttributes.NODIRATIME],
  rdiratime: ['clear', mountAttributes.NODIRATIME],
  rrelatime: ['set', 0],
  rnorelatime: ['clear', 0],
  rnoatime: ['set', mountAttributes.NOATIME],
  ratime: ['clear', mountAttributes.NOATIME],
  rstrictatime: ['set', mountAttributes.STRICTATIME],
  rnostrictatime: ['clear', mountAttributes.STRICTATIME],
  rnosymfollow: ['set', mountAttributes.NOSYMFOLLOW],
  rsymfollow: ['clear', mountAttributes.NOSYMFOLLOW],
}

/** Recursive options for access times, which replace the whole field MOUNT_ATTR__ATIME. */
const atimeOptions = ['rrelatime', 'rnorelatime', 'rnoatime', 'ratime', 'rstrictatime', 'rnostrictatime']

/**
 * Sorts the options of one entry of `mounts`.
 *
 * @see runtime-spec 1.3.0 config.md "Linux mount options"
 */
export function parseMountOptions(options: readonly string[]): ParsedMountOptions {
  let set = 0
  let cleared = 0
  let recursiveSet = 0
  let recursiveClear = 0
  let copyUp = false
  let idMapping: ParsedMountOptions['idMapping']
  let idMap: string | undefined
  const links = new Set<LinkOption>()
  const propagations: number[] = []
  const data: string[] = []
  for (const option of options) {
    const flag = find(flags, option)
    const tree = find(recursive, option)
    const spread = find(propagation, option)
    if (flag) {
      const [change, bit] = flag
      set = change === 'set' ? set | bit : set & ~bit
      cleared = change === 'set' ? cleared & ~bit : cleared | bit
    } else if (tree) {
      const [change, bit] = tree
      if (atimeOptions.includes(option)) {
        recursiveClear |= mountAttributes.ATIME
        recursiveSet &= ~mountAttributes.ATIME
      }
      // The later one of two contradicting options holds.
      recursiveSet = change === 'set' ? recursiveSet | bit : recursiveSet & ~bit
      recursiveClear = change === 'clear' ? recursiveClear | bit : recursiveClear & ~(bit & ~mountAttributes.ATIME)
    } else if (spread !== undefined) propagations.push(spread)
    else if (option === 'tmpcopyup') copyUp = true
    else if (isLinkOption(option)) links.add(option)
    else if (/^r?idmap(=|$)/.test(option)) {
      idMapping = option.startsWith('r') ? 'ridmap' : 'idmap'
      idMap = option.replace(/^\w+=?/, '') || undefined
    } else if (option !== '') data.push(option)
  }
  return {
    flags: set,
    cleared,
    propagation: propagations,
    recursive: { set: recursiveSet, clear: recursiveClear },
    copyUp,
    idMapping,
    idMap,
    links,
    data: data.join(','),
  }
}

/** Looks up an own property only: `constructor`, which every object inherits, is not an option. */
function find<T>(table: Readonly<Record<string, T>>, option: string): T | undefined {
  return Object.hasOwn(table, option) ? table[option] : undefined
}

/** All options that are not passed to the filesystem, sorted, for `features`. */
export function knownMountOptions(): readonly string[] {
  const tables = [flags, propagation, recursive].flatMap((table) => Object.keys(table))
  return [...tables, ...linkOptions, 'idmap', 'ridmap', 'tmpcopyup'].sort()
}

/** Converts MS_* flags to MOUNT_ATTR_*. */
export function attributesOf(msFlags: number): number {
  const pairs: readonly (readonly [number, number])[] = [
    [mountFlags.RDONLY, mountAttributes.RDONLY],
    [mountFlags.NOSUID, mountAttributes.NOSUID],
    [mountFlags.NODEV, mountAttributes.NODEV],
    [mountFlags.NOEXEC, mountAttributes.NOEXEC],
    [mountFlags.NODIRATIME, mountAttributes.NODIRATIME],
    [mountFlags.NOSYMFOLLOW, mountAttributes.NOSYMFOLLOW],
    [mountFlags.NOATIME, mountAttributes.NOATIME],
    [mountFlags.STRICTATIME, mountAttributes.STRICTATIME],
  ]
  return pairs.reduce((all, [flag, attribute]) => (msFlags & flag ? all | attribute : all), 0)
}
