import { OciError } from '../../errors.ts'
import { mountAttributes, mountFlags, resolveKind } from '../../program/flags.ts'
import { op, type Step } from '../../program/program.ts'
import type { CompileContext } from '../context.ts'
import { mountLabelOf, withLabel } from '../security.ts'
import { compilePropagation, compileRecursive, setAttributes } from './attributes.ts'
import { compileBind, type MountSteps } from './bind.ts'
import { compileCgroupMount } from './cgroup.ts'
import { isBind, type MountEntry } from './entries.ts'
import { attributesOf } from './options.ts'

const tmpfsMagic = 0x01021994

/** Steps that make and attach one mount. Its destination is resolved once and then used by descriptor. */
export function compileMount(entry: MountEntry, index: number, context: CompileContext): MountSteps {
  if (entry.destination === '/') {
    throw new OciError('ERR_CONFIG_INVALID', 'a mount cannot cover the root of the container', {
      pointer: `${entry.from}/destination`,
      hint: 'mount below it, or use "root"',
    })
  }
  checkProc(entry)
  if (entry.options.copyUp && (isBind(entry) || entry.mount.type !== 'tmpfs')) {
    throw invalidOptions(entry, '"tmpcopyup" can be used only with a tmpfs')
  }
  checkLinkOptions(entry)
  if (isBind(entry)) return compileBind(entry, index, context)
  if (entry.options.idMapping || entry.mount.uidMappings?.length || entry.mount.gidMappings?.length) {
    throw new OciError('ERR_CONFIG_INVALID', 'only a bind mount can be ID-mapped', { pointer: entry.from })
  }
  return { host: [], child: compileNewFilesystem(entry, context) }
}

/** Refuses options for links where there is no link to speak of, and those that contradict each other. */
function checkLinkOptions(entry: MountEntry): void {
  const [first, second] = [...entry.options.links].sort()
  if (first !== undefined && !isBind(entry))
    throw invalidOptions(entry, `"${first}" can be used only with a bind mount`)
  if (first === 'copy-symlink' && second !== undefined) {
    throw invalidOptions(entry, `"copy-symlink" cannot be used with "${second}"`)
  }
}

const invalidOptions = ({ from }: MountEntry, message: string): OciError =>
  new OciError('ERR_CONFIG_INVALID', message, { pointer: `${from}/options`, hint: 'remove it' })

function compileNewFilesystem(entry: MountEntry, context: CompileContext): readonly Step[] {
  const label = mountLabelOf(context)
  const { type } = entry.mount
  if (type === 'cgroup' || type === 'cgroup2') return compileCgroupMount(entry, context)
  if (type === 'proc' || type === 'sysfs') return compileFilesystem(entry, resolveKind.ORDINARY)
  if (type === 'mqueue') return [...compileFilesystem(entry, resolveKind.DIRECTORY), ...labelDirectory(entry, label)]
  if (type === 'tmpfs' && entry.options.copyUp) return compileCopyUp(entry, label)
  const options = { ...entry.options, data: withLabel(entry.options.data, label) }
  if (type === 'tmpfs') return compileTmpfs({ ...entry, options })
  return compileFilesystem({ ...entry, options }, resolveKind.DIRECTORY)
}

/** Labels the root of an mqueue filesystem, which has no mount option for it. */
function labelDirectory({ destination }: MountEntry, label: string | undefined): readonly Step[] {
  if (label === undefined) return []
  const value = new TextEncoder().encode(label)
  const path = destination.slice(1)
  return [op('setxattr', { at: 'root', path, name: 'security.selinux', value }, '/linux/mountLabel')]
}

/** Files of procfs that tools such as lxcfs replace by files with the container's values. */
const replaceableInProc = [
  'cpuinfo',
  'diskstats',
  'meminfo',
  'stat',
  'swaps',
  'uptime',
  'loadavg',
  'slabinfo',
  'sys/kernel/ns_last_pid',
  'sys/crypto/fips_enabled',
]

/** Refuses mounts on /proc and below it except a procfs and known files: later steps trust /proc (CVE-2019-16884). */
function checkProc({ mount, destination, from, options }: MountEntry): void {
  if (destination !== '/proc' && !destination.startsWith('/proc/')) return
  if (destination === '/proc' && (mount.type === 'proc' || (options.flags & mountFlags.BIND) !== 0)) return
  if (replaceableInProc.includes(destination.slice('/proc/'.length))) return
  throw new OciError('ERR_CONFIG_INVALID', `"${destination}" cannot be mounted because it is inside /proc`, {
    pointer: `${from}/destination`,
    hint: 'mount it somewhere else',
  })
}

/**
 * Steps that mount a filesystem with mount(2).
 * @param kind what the destination must be; for proc and sysfs no symbolic link, since later steps trust their content
 */
function compileFilesystem(entry: MountEntry, kind: number): readonly Step[] {
  const { mount, destination, options, from } = entry
  const type = mount.type ?? 'none'
  const late = isLateReadonly(entry) ? mountFlags.RDONLY : 0
  return [
    op('resolve', { to: 'target', root: 'root', path: destination, kind, mode: 0o755 }, from),
    op(
      'mount',
      {
        source: mount.source ?? type,
        target: 'target',
        path: destination,
        type,
        flags: options.flags & ~late,
        data: options.data === '' ? null : options.data,
      },
      from,
    ),
    ...compilePropagation(entry, 'target', true),
    ...compileRecursive(entry, 'target', true),
  ]
}

/** Steps that mount a tmpfs. Without an option `mode` it gets the mode of the directory that it covers. */
function compileTmpfs(entry: MountEntry): readonly Step[] {
  const { mount, destination, options, from } = entry
  if (/(^|,)mode=/.test(options.data)) return compileFilesystem(entry, resolveKind.DIRECTORY)
  const flags = options.flags & ~(isLateReadonly(entry) ? mountFlags.RDONLY : 0)
  const data = options.data === '' ? null : options.data
  return [
    op('mount_tmpfs', { root: 'root', path: destination, source: mount.source ?? 'tmpfs', flags, data }, from),
    ...compilePropagation(entry, 'target', true),
    ...compileRecursive(entry, 'target', true),
  ]
}

/** Steps for a tmpfs with `tmpcopyup`, into which the content of the covered directory is copied. */
function compileCopyUp(entry: MountEntry, label: string | undefined): readonly Step[] {
  const { destination, options, from } = entry
  const own = ['source', entry.mount.source ?? 'tmpfs', ...(label === undefined ? [] : ['context', label])]
  const pairs = options.data.split(',').filter((option) => option !== '')
  if (options.flags & mountFlags.REMOUNT) throw invalidOptions(entry, '"remount" cannot be used with "tmpcopyup"')
  const ofAll = superblockFlags.flatMap(([flag, name]) => (options.flags & flag ? [name, ''] : []))
  const attributes = attributesOf(options.flags & ~mountFlags.RDONLY)
  return [
    op('resolve', { to: 'target', root: 'root', path: destination, kind: resolveKind.DIRECTORY, mode: 0o755 }, from),
    op(
      'new_mount',
      { to: 'mount', type: 'tmpfs', options: [...own, ...pairs.flatMap(splitOption), ...ofAll], attributes },
      from,
    ),
    op('copy_tree', { from: 'target', to: 'mount' }, `${from}/options`),
    op('move_mount', { from: 'mount', to: 'target', name: null, path: destination }, from),
    ...compilePropagation(entry, 'mount', false),
    ...compileRecursive(entry, 'mount', false),
  ]
}

/** MS_* flags that fsconfig(2) takes as options by name. @see fs/fs_context.c common_set_sb_flag */
const superblockFlags = [
  [mountFlags.SYNCHRONOUS, 'sync'],
  [mountFlags.DIRSYNC, 'dirsync'],
  [mountFlags.MANDLOCK, 'mand'],
  [mountFlags.LAZYTIME, 'lazytime'],
] as const

function splitOption(option: string): readonly [string, string] {
  const equals = option.indexOf('=')
  return equals < 0 ? [option, ''] : [option.slice(0, equals), option.slice(equals + 1)]
}

/** True when a mount is made read-only only after all mounts, since the mount points of later entries may be in it. */
function isLateReadonly(entry: MountEntry): boolean {
  return (
    (entry.options.flags & mountFlags.RDONLY) !== 0 && (entry.mount.type === 'tmpfs' || entry.destination === '/dev')
  )
}

/** Steps, after all mounts, that make the mount read-only if it asks for that and `isLateReadonly`. */
export function compileLateReadonly(entry: MountEntry): readonly Step[] {
  if (isBind(entry) || !isLateReadonly(entry)) return []
  return [
    op(
      'resolve',
      { to: 'target', root: 'root', path: entry.destination, kind: resolveKind.EXISTING, mode: 0 },
      entry.from,
    ),
    ...(entry.mount.type === 'tmpfs'
      ? [op('expect_filesystem', { slot: 'target', magic: tmpfsMagic }, entry.from)]
      : []),
    setAttributes('target', mountAttributes.RDONLY, 0, 0, entry.from),
  ]
}
