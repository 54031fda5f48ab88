import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { release } from 'node:os'
import { resolve } from 'node:path'
import { isSystemError } from '../../errors.ts'
import { exactText, isText } from '../../text.ts'
import { isCgroup2Type } from '../host-options.ts'
import { isInInitialNamespace } from '../id-mappings.ts'
import { lookUpUser } from '../user.ts'
import { refusal } from './flag.ts'
import { hostDevices, look } from './host-devices.ts'
import { freePort, hostAddress } from './host-network.ts'
import type { Surroundings } from './outside.ts'

/** The parts of the surroundings that other folders know. */
export interface Elsewhere extends Pick<Surroundings, 'parseSignal' | 'bundleName'> {
  /** The seccomp profile that engines on this host have, or `unconfined`. */
  readonly seccompProfile: string | undefined
  /** Default: the environment of the process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** Called before a file of the host is looked at, with its path; without one where what is looked at is more than that. */
  readonly onLook?: ((path?: string) => void) | undefined
}

/**
 * This process's own surroundings. Each file is read once, so that it can be a pipe.
 *
 * @returns them for a rootfs, or for one that is not there yet, whose only user is root
 */
export function surroundingsOf({
  env = process.env,
  onLook = () => {},
  seccompProfile,
  ...others
}: Elsewhere): (rootfs?: string) => Surroundings {
  const files = new Map<string, string>()
  const readOnce = (path: string): string => {
    onLook(resolve(path))
    const text = files.get(path) ?? readText(path)
    files.set(path, text)
    return text
  }
  return (rootfs) => ({
    ...others,
    env,
    readText: readOnce,
    absolutePath: (path) => resolve(path),
    look: (path) => {
      onLook(path)
      return look(path)
    },
    hostDevices: () => {
      onLook()
      return hostDevices()
    },
    freePort: (protocol) => {
      onLook()
      return freePort(protocol)
    },
    hostAddress: () => {
      onLook()
      return hostAddress()
    },
    inUserNamespace: !isInInitialNamespace(),
    hasSELinux: existsSync('/sys/fs/selinux/enforce'),
    countsSwap: countsSwap(),
    platform: { architecture: process.arch, kernel: release() },
    engineSeccomp: () => {
      if (seccompProfile === 'unconfined') return JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW' })
      return seccompProfile === undefined ? undefined : readOnce(seccompProfile)
    },
    lookUpUser: (text) =>
      rootfs === undefined ? { uid: 0, gid: 0, additionalGids: [], home: undefined } : lookUpUser(rootfs, text),
  })
}

/** On cgroup v1 it takes a kernel that was built and started for it (`swapaccount=1`). */
function countsSwap(): boolean {
  if (existsSync('/sys/fs/cgroup/memory')) return existsSync('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes')
  return existsSync('/sys/fs/cgroup') && isCgroup2Type(statfsSync('/sys/fs/cgroup').type)
}

function readText(path: string): string {
  try {
    const text = exactText(readFileSync(path))
    if (isText(text)) return text
  } catch (error) {
    if (!isSystemError(error)) throw error
    throw refusal(`it cannot be read: ${error.code === 'ENOENT' ? 'there is no such file' : error.code}`)
  }
  throw refusal('it is not UTF-8')
}
