import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SystemdManager } from '../compile/cgroup/systemd.ts'
import type { DeviceNames } from '../compile/cgroup/systemd-v1.ts'
import type { HostFacts } from '../compile/facts.ts'
import { OciError } from '../errors.ts'
import { ownBinary } from './own-binary.ts'
import { busPath, readManager, withSystemd } from './systemd.ts'

/**
 * True when systemd is to make a container's cgroup.
 *
 * @param asked with `auto`, systemd makes it when `linux.cgroupsPath` names a unit, or is unset and the caller can
 *   reach systemd
 */
export function isSystemdWanted(asked: boolean | 'auto', cgroupsPath: string | undefined, facts: HostFacts): boolean {
  if (asked !== 'auto') return asked
  if (cgroupsPath) return !cgroupsPath.startsWith('/') && cgroupsPath.split(':').length === 3
  return isPossible(facts) && existsSync('/run/systemd/system') && hasBus(kindOf(facts))
}

function hasBus(kind: SystemdManager['kind']): boolean {
  try {
    return existsSync(busPath(kind, process.env))
  } catch (error) {
    if (error instanceof OciError) return false
    throw error
  }
}

const kindOf = ({ euid, inUserNamespace }: HostFacts): SystemdManager['kind'] =>
  euid === 0 && !inUserNamespace ? 'system' : 'user'

/**
 * The service manager for containers of this caller, with facts that are read over its bus.
 *
 * @throws OciError `ERR_SYSTEMD` the manager cannot be reached; `ERR_NOT_SUPPORTED` it is a user's and controllers are
 *   on cgroup v1
 */
export async function findManager(facts: HostFacts): Promise<SystemdManager> {
  if (!isPossible(facts)) {
    throw new OciError(
      'ERR_NOT_SUPPORTED',
      "a user's service manager can make cgroups only on a host with cgroup v2 alone",
      {
        hint: 'leave out --systemd-cgroup, or boot with systemd.unified_cgroup_hierarchy=1',
      },
    )
  }
  const kind = kindOf(facts)
  const v1 = facts.cgroups.mode === 'v2' ? undefined : { deviceNames: readDeviceNames() }
  return { kind, command: internalCommand(), v1, ...(await withSystemd(kind, readManager)) }
}

/** True where the caller's service manager can make cgroups: those of v1 are root's alone. */
const isPossible = (facts: HostFacts): boolean => facts.cgroups.mode === 'v2' || kindOf(facts) === 'system'

function readDeviceNames(): DeviceNames {
  const [characters = '', blocks = ''] = readFileSync('/proc/devices', 'utf8').split('Block devices:')
  const named = (type: 'b' | 'c', text: string) =>
    [...text.matchAll(/^ *(\d+) (.+)$/gm)].map(([, major, name = '']) => [`${type} ${major}`, name] as const)
  return Object.fromEntries([...named('c', characters), ...named('b', blocks)])
}

/** The command that runs this tool for a step that needs D-Bus. */
export function internalCommand(): readonly string[] {
  const front = ownBinary('bundle-tool')
  return [...(existsSync(front) ? [front] : toolCommand()), '--log-format=json', 'internal']
}

/** The command that starts the tool's command line in Node.js. */
export const toolCommand = (): readonly string[] => [
  process.execPath,
  '--', // Node.js would read the file of an --env-file behind the script, too
  join(import.meta.dirname, '../../bin/bundle-tool.js'),
]
