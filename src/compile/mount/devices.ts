import { OciError } from '../../errors.ts'
import { openFlags, resolveKind, treeFlags } from '../../program/flags.ts'
import { op, type Step } from '../../program/program.ts'
import type { CompileContext } from '../context.ts'
import { cleanPath, isBind, mountEntries } from './entries.ts'

interface DeviceNode {
  readonly path: string
  readonly type: 'c' | 'b' | 'p'
  readonly major: number
  readonly minor: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly from: string
}

const fileTypes = { c: 0o020000, b: 0o060000, p: 0o010000 } as const

const defaultNodes: readonly DeviceNode[] = (
  [
    ['/dev/null', 1, 3],
    ['/dev/random', 1, 8],
    ['/dev/full', 1, 7],
    ['/dev/tty', 5, 0],
    ['/dev/zero', 1, 5],
    ['/dev/urandom', 1, 9],
  ] as const
).map(([path, major, minor]) => ({
  path,
  type: 'c',
  major,
  minor,
  mode: 0o666,
  uid: 0,
  gid: 0,
  from: '/linux/devices',
}))

const links = [
  ['/proc/self/fd', 'fd'],
  ['/proc/self/fd/0', 'stdin'],
  ['/proc/self/fd/1', 'stdout'],
  ['/proc/self/fd/2', 'stderr'],
] as const

/**
 * Steps that fill /dev with the devices of config.json and the default ones, the usual links, and ptmx. Nothing is made in a
 * /dev that is a bind mount, as in runc, since it belongs to the host.
 *
 * @see runtime-spec 1.3.0 config-linux.md "Default Devices"
 */
export function compileDevices(context: CompileContext): readonly Step[] {
  const entries = mountEntries(context)
  const dev = entries.findLast((entry) => entry.destination === '/dev')
  if (dev && isBind(dev)) return compileDevicesElsewhere(context)
  const nodes = wantedNodes(context)
  const from = '/linux/devices'
  const isEmpty = dev?.mount.type === 'tmpfs' && !dev.options.copyUp
  /** True when nothing can be at the path yet. */
  const isFree = (path: string): boolean => isEmpty && !entries.some(({ destination }) => destination === path)
  return [
    ...withoutRepetition([
      ...nodes.flatMap((node) => compileNode(node, { context, isFree: node.from === from && isFree(node.path) })),
      op('resolve', { to: 'dev', root: 'root', path: '/dev', kind: resolveKind.DIRECTORY, mode: 0o755 }, from),
    ]),
    ...links.map(([target, path]) => op('symlink', { target, at: 'dev', path }, from, 'EEXIST')),
    ...(context.facts.hasKcore
      ? [op('symlink', { target: '/proc/kcore', at: 'dev', path: 'core' }, from, 'EEXIST')]
      : []),
    ...(isFree('/dev/ptmx') ? [] : [op('unlink', { at: 'dev', path: 'ptmx' }, from, 'ENOENT')]),
    op('symlink', { target: 'pts/ptmx', at: 'dev', path: 'ptmx' }, from),
  ]
}

function compileDevicesElsewhere(context: CompileContext): readonly Step[] {
  const wanted = wantedNodes(context).filter((node) => node.from !== '/linux/devices')
  const isThere = ({ path }: DeviceNode): boolean => path.startsWith('/dev/')
  for (const { path, from } of wanted.filter(isThere)) {
    context.warn?.(`${from}: "${path}" is not made: /dev is a bind mount`)
  }
  return wanted.filter((node) => !isThere(node)).flatMap((node) => compileNode(node, { context, isFree: false }))
}

/** Removes a step that resolves the same directory as the previous one. */
function withoutRepetition(steps: readonly Step[]): readonly Step[] {
  let resolved: unknown
  return steps.filter(({ op: name, operands }) => {
    if (name !== 'resolve' || operands.to !== 'dev') return true
    const isNew = operands.path !== resolved
    resolved = operands.path
    return isNew
  })
}

function wantedNodes({ config }: CompileContext): readonly DeviceNode[] {
  const configured = (config.linux?.devices ?? []).map((device, index): DeviceNode => {
    const from = `/linux/devices/${index}`
    const type = device.type === 'u' ? 'c' : device.type
    if (type !== 'c' && type !== 'b' && type !== 'p') {
      throw new OciError('ERR_CONFIG_INVALID', `the device type "${device.type}" is not c, b, u or p`, {
        pointer: from,
      })
    }
    return {
      path: devicePath(device.path, from),
      type,
      major: device.major ?? 0,
      minor: device.minor ?? 0,
      // Engines write st_mode of stat(2), which includes the file type.
      mode: (device.fileMode ?? 0o666) & 0o7777,
      uid: device.uid ?? 0,
      gid: device.gid ?? 0,
      from,
    }
  })
  const own = new Set(configured.map(({ path }) => path))
  return [...defaultNodes.filter(({ path }) => !own.has(path)), ...configured].filter(
    ({ path }) => path !== '/dev/ptmx',
  )
}

/** The clean path of a device. @throws OciError `ERR_CONFIG_INVALID` it is the root */
function devicePath(path: string, from: string): string {
  const clean = cleanPath(path)
  if (clean !== '/') return clean
  throw new OciError('ERR_CONFIG_INVALID', `the device path "${path}" is the root of the container`, {
    pointer: `${from}/path`,
  })
}

/** True in a user namespace, where mknod(2) of a device is forbidden: the host's device is bound instead. */
export const bindsDevices = ({ hasUserNamespace, facts }: CompileContext): boolean =>
  hasUserNamespace || facts.inUserNamespace

function compileNode(
  node: DeviceNode,
  { context, isFree }: { readonly context: CompileContext; readonly isFree: boolean },
): readonly Step[] {
  const { path, from } = node
  const slash = path.lastIndexOf('/')
  const name = path.slice(slash + 1)
  const directory = slash <= 0 ? '/' : path.slice(0, slash)
  if (bindsDevices(context) && node.type !== 'p') return bindNode(node)
  return [
    op('resolve', { to: 'dev', root: 'root', path: directory, kind: resolveKind.DIRECTORY, mode: 0o755 }, from),
    ...(isFree ? [] : [op('unlink', { at: 'dev', path: name }, from, 'ENOENT')]),
    op(
      'mknod',
      { at: 'dev', path: name, mode: fileTypes[node.type] | node.mode, major: node.major, minor: node.minor },
      from,
    ),
    ...(node.uid === 0 && node.gid === 0
      ? []
      : [op('chown', { at: 'dev', path: name, uid: node.uid, gid: node.gid }, from)]),
  ]
}

function bindNode({ path, type, major, minor, from }: DeviceNode): readonly Step[] {
  return [
    op('open', { to: 'device', at: null, path, flags: openFlags.PATH | openFlags.NOFOLLOW }, from),
    op('expect_device', { slot: 'device', mode: fileTypes[type], major, minor }, from),
    op('open_tree', { to: 'mount', at: 'device', path: '', flags: treeFlags.CLONE }, from),
    op('resolve', { to: 'target', root: 'root', path, kind: resolveKind.FILE, mode: 0o666 }, from),
    op('move_mount', { from: 'mount', to: 'target', name: null, path }, from),
  ]
}
