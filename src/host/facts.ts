import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { CgroupFacts, HostFacts, ResctrlFacts } from '../compile/facts.ts'
import { isSystemError, OciError } from '../errors.ts'
import { isDefaultRoute, parseIPv4Routes } from '../oci/ipv4-route.ts'
import type { NetworkProgram } from '../oci/network-annotations.ts'
import { isInitialIDMap } from '../oci/user-namespace.ts'
import { parseCgroups } from './cgroups.ts'
import { Door, isExecutable, unlessRefused } from './door.ts'
import { deviceOf, mountPointOf } from './mountinfo.ts'

const appArmorPaths = ['/sys/kernel/security/apparmor', '/proc/self/attr/apparmor/exec']
const selinuxPath = '/sys/fs/selinux/enforce'
const kcorePath = '/proc/kcore'
const helperPaths = (name: string): readonly string[] =>
  ['/usr/bin', '/bin', '/usr/local/bin'].map((directory) => `${directory}/${name}`)

/** Facts about this host; each is read through the door when its property is used, so that only those become guards. */
export function readHostFacts(door: Door = new Door()): HostFacts {
  door.kernel()
  const caller = door.caller()
  let cgroups: CgroupFacts | undefined
  return {
    arch: process.arch,
    ...caller,
    get inUserNamespace() {
      return !isInitialIDMap(door.read('/proc/self/uid_map').toString())
    },
    get cgroups() {
      cgroups ??= readCgroups(door)
      return cgroups
    },
    mayMakeIn: (directory) => door.unwatched(() => mayMakeIn(directory)),
    get appArmor() {
      return findAppArmor(door)
    },
    get hasSELinux() {
      return door.exists(selinuxPath)
    },
    get idMapHelpers() {
      const isHelper = (path: string): boolean => door.isExecutable(path)
      const uid = findHelper('newuidmap', isHelper)
      const gid = findHelper('newgidmap', isHelper)
      return { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) }
    },
    networkProgram: (name) => findNetworkProgram(name, (path) => door.isExecutable(path)),
    get resctrl() {
      return findResctrl(door)
    },
    get hasBfq() {
      return door.unwatched(offersBfq)
    },
    get hasKcore() {
      return door.exists(kcorePath)
    },
  }
}

/** Reads the cgroup hierarchies, without mounts that another filesystem covers. */
function readCgroups(door: Door): CgroupFacts {
  const mounts = door.mounts('cgroup').filter((line) => door.place(mountPointOf(line))?.device === deviceOf(line))
  return parseCgroups(door.read('/proc/self/cgroup').toString(), mounts.join('\n'))
}

function mayMakeIn(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK)
    return true
  } catch (error) {
    if (!isSystemError(error)) throw error
    return error.code === 'ENOENT' && directory !== '/' && mayMakeIn(dirname(directory))
  }
}

/** Finds AppArmor if it is enabled. Its attributes have their own directory since Linux 5.8. */
function findAppArmor(door: Door): HostFacts['appArmor'] {
  const [securityfs = '', own = ''] = appArmorPaths
  if (!door.exists(securityfs)) return undefined
  if (!door.readIfThere('/sys/module/apparmor/parameters/enabled')?.startsWith('Y')) return undefined
  return { attribute: door.exists(own) ? 'apparmor/exec' : 'exec' }
}

function findResctrl(door: Door): ResctrlFacts | undefined {
  const places = door.mounts('resctrl').map(mountPointOf)
  const mountPoint = places.find((place) => place === '/sys/fs/resctrl') ?? places[0]
  if (mountPoint === undefined) return undefined
  const has = (name: string): boolean => door.exists(`${mountPoint}/info/${name}`)
  return { mountPoint, hasCache: has('L3'), hasBandwidth: has('MB') }
}

function offersBfq(): boolean {
  try {
    return readdirSync('/sys/block').some((device) => schedulersOf(device).includes('bfq'))
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'EACCES')) return false
    throw error
  }
}

/** The I/O schedulers of a block device, also the active one, which the file has in brackets. */
function schedulersOf(device: string): readonly string[] {
  try {
    return readFileSync(`/sys/block/${device}/queue/scheduler`, 'utf8').match(/[\w-]+/g) ?? []
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return [] // the device is gone
    throw error
  }
}

/** The path of a helper that maps ids; undefined if it is not installed. */
export function findHelper(
  name: 'newuidmap' | 'newgidmap',
  isThere: (path: string) => boolean = isExecutable,
): string | undefined {
  return helperPaths(name).find(isThere)
}

/** The path of a program that is a container's way to the network; undefined if it is not installed. */
export function findNetworkProgram(
  name: NetworkProgram,
  isThere: (path: string) => boolean = isExecutable,
): string | undefined {
  return helperPaths(name).find(isThere)
}

/**
 * The network of a container for which nobody has chosen one: pasta's where it is installed, the caller may make its interface
 * and the host has a default route, which it needs; else the host's.
 */
export function defaultNetwork(door: Door): 'pasta' | 'host' {
  const program = findNetworkProgram('pasta', (path) => door.isExecutable(path))
  if (program === undefined || door.place(tunDevice) === undefined) return 'host'
  if (!isOpenToCaller(tunDevice)) return 'host'
  // Not for ever: this host may get a route. When it loses its route, pasta says so.
  return hasDefaultRoute() ? 'pasta' : door.unwatched(() => 'host')
}

const tunDevice = '/dev/net/tun'

/** True when access(2) lets the caller read and write. */
function isOpenToCaller(path: string): boolean {
  const isOpen = unlessRefused(() => {
    accessSync(path, constants.R_OK | constants.W_OK)
    return true
  })
  return isOpen ?? false
}

const hasDefaultRoute = (): boolean =>
  parseIPv4Routes(unlessRefused(() => readFileSync('/proc/self/net/route', 'utf8')) ?? '').some(isDefaultRoute)

/** Checks that the host has what every container needs. @throws OciError `ERR_NOT_SUPPORTED` no cgroup filesystem is mounted */
export function checkHost(facts: HostFacts): void {
  if (facts.cgroups.mode === 'none') {
    throw new OciError('ERR_NOT_SUPPORTED', 'no cgroup filesystem is mounted', {
      hint: 'mount cgroup2 at /sys/fs/cgroup',
    })
  }
}
