import { readdirSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import { isSystemError, leadsNowhere } from '../../errors.ts'
import { splitDeviceNumber } from '../../oci/device-number.ts'
import type { HostDevice } from './outside.ts'

/** A device of the host, something else, or undefined where there is nothing. */
export function look(path: string): HostDevice | 'other' | undefined {
  try {
    return deviceOf(statSync(path)) ?? 'other'
  } catch (error) {
    if (leadsNowhere(error)) return undefined
    throw error
  }
}

/** The device that a file stands for. */
function deviceOf(stats: Stats): HostDevice | undefined {
  if (!stats.isCharacterDevice() && !stats.isBlockDevice()) return undefined
  return {
    type: stats.isBlockDevice() ? 'b' : 'c',
    ...splitDeviceNumber(BigInt(stats.rdev)),
    fileMode: stats.mode & 0o777,
    uid: stats.uid,
    gid: stats.gid,
  }
}

/** Directories and files of /dev that a container has of its own. */
const own: readonly string[] = ['pts', 'shm', 'mqueue', 'fd', 'console', 'ptmx', '.lxc', '.lxd-mounts', '.udev']

/** All devices below /dev, links aside. */
export function hostDevices(directory = '/dev'): readonly (HostDevice & { readonly path: string })[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter(({ name }) => directory !== '/dev' || !own.includes(name))
    .flatMap((entry) => {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) return belowIfReadable(path)
      const found = entry.isCharacterDevice() || entry.isBlockDevice() ? look(path) : undefined
      return found === undefined || found === 'other' ? [] : [{ ...found, path }]
    })
}

function belowIfReadable(directory: string): ReturnType<typeof hostDevices> {
  try {
    return hostDevices(directory)
  } catch (error) {
    if (!isSystemError(error, 'EACCES', 'ENOENT')) throw error
    return []
  }
}
