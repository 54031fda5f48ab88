import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import type { HostFacts, ResctrlFacts } from '../compile/facts.ts'
import { isSystemError, OciError } from '../errors.ts'
import { isInitialIDMap } from '../oci/user-namespace.ts'
import { parseCgroups } from './cgroups.ts'
import { linesOf, mountPointOf } from './mountinfo.ts'

const appArmorPaths = ['/sys/kernel/security/apparmor', '/proc/self/attr/apparmor/exec']
const selinuxPath = '/sys/fs/selinux/enforce'
const kcorePath = '/proc/kcore'
const helperPaths = (name: string): readonly string[] =>
  ['/usr/bin', '/bin', '/usr/local/bin'].map((directory) => `${directory}/${name}`)

/** With the paths that were looked for so far, whose being there or not is a guard of a kept program. */
export interface ProbedFacts extends HostFacts {
  readonly probed: ReadonlySet<string>
}

/** Reads what `compile` needs to know of this host; nothing is cached. */
export function readHostFacts(): ProbedFacts {
  const probed = new Set<string>()
  const noting =
    (isThere: (path: string) => boolean) =>
    (path: string): boolean => {
      probed.add(path)
      return isThere(path)
    }
  const exists = noting(existsSync)
  const isHelper = noting(isExecutable)
  const status = readFileSync('/proc/self/status', 'utf8')
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
  return {
    arch: process.arch,
    euid: process.geteuid?.() ?? 0,
    egid: process.getegid?.() ?? 0,
    capabilities: BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`),
    inUserNamespace: !isInitialIDMap(readFileSync('/proc/self/uid_map', 'utf8')),
    cgroups: parseCgroups(readFileSync('/proc/self/cgroup', 'utf8'), mounts),
    probed,
    appArmor: findAppArmor(exists),
    hasSELinux: exists(selinuxPath),
    // Asked for by few config.json, and files to read or to look for.
    get idMapHelpers() {
      const uid = findHelper('newuidmap', isHelper)
      const gid = findHelper('newgidmap', isHelper)
      return { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) }
    },
    get resctrl() {
      return findResctrl(mounts)
    },
    get hasBfq() {
      return offersBfq()
    },
    hasKcore: exists(kcorePath),
  }
}

/** In its directory of its own since Linux 5.8. */
function findAppArmor(exists: (path: string) => boolean): HostFacts['appArmor'] {
  const [securityfs = '', own = ''] = appArmorPaths
  if (!exists(securityfs)) return undefined
  try {
    if (!readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').startsWith('Y')) return undefined
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined
    throw error
  }
  return { attribute: exists(own) ? 'apparmor/exec' : 'exec' }
}

/** @param mounts /proc/self/mountinfo */
export function findResctrl(mounts: string): ResctrlFacts | undefined {
  const found = linesOf(mounts).filter((line) => line.split(' - ')[1]?.startsWith('resctrl '))
  const places = found.map(mountPointOf)
  const mountPoint = places.find((place) => place === '/sys/fs/resctrl') ?? places[0]
  if (mountPoint === undefined) return undefined
  const has = (name: string): boolean => existsSync(`${mountPoint}/info/${name}`)
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

/** The active one is in brackets. */
function schedulersOf(device: string): readonly string[] {
  try {
    return readFileSync(`/sys/block/${device}/queue/scheduler`, 'utf8').match(/[\w-]+/g) ?? []
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return [] // the device is gone
    throw error
  }
}

/** Where a helper that maps ids is installed. */
export function findHelper(
  name: 'newuidmap' | 'newgidmap',
  isThere: (path: string) => boolean = isExecutable,
): string | undefined {
  return helperPaths(name).find(isThere)
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Refuses a host that the runner cannot work on, naming what is missing. */
export function checkHost(facts: HostFacts): void {
  if (facts.cgroups.mode === 'none') {
    throw new OciError('ERR_NOT_SUPPORTED', 'no cgroup filesystem is mounted', {
      hint: 'mount cgroup2 at /sys/fs/cgroup',
    })
  }
}
