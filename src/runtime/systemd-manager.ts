import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { HostFacts } from '../compile/facts.ts'
import type { SystemdManager } from '../compile/systemd.ts'
import { OciError } from '../errors.ts'
import { busPath, readManager, withSystemd } from './systemd.ts'

/**
 * Whether systemd is to make a container's cgroup.
 *
 * @param asked `auto`: where `linux.cgroupsPath` names a unit, or is unset and the caller can ask systemd
 */
export function isSystemdWanted(asked: boolean | 'auto', cgroupsPath: string | undefined, facts: HostFacts): boolean {
  if (asked !== 'auto') return asked
  if (cgroupsPath) return !cgroupsPath.startsWith('/') && cgroupsPath.split(':').length === 3
  return facts.cgroups.mode === 'v2' && existsSync('/run/systemd/system') && hasBus(kindOf(facts))
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
 * The service manager for containers of this caller, asked over its bus.
 *
 * @throws OciError `ERR_SYSTEMD` it cannot be asked; `ERR_NOT_SUPPORTED` the host has cgroups of v1
 */
export async function findManager(facts: HostFacts): Promise<SystemdManager> {
  if (facts.cgroups.mode !== 'v2') {
    throw new OciError('ERR_NOT_SUPPORTED', 'the systemd driver needs a host that has cgroup v2 alone', {
      hint: 'leave out --systemd-cgroup, or boot with systemd.unified_cgroup_hierarchy=1',
    })
  }
  const kind = kindOf(facts)
  return { kind, command: internalCommand(), ...(await withSystemd(kind, readManager)) }
}

/** The tool itself, for a step that needs D-Bus. */
export const internalCommand = (): readonly string[] => [...toolCommand(), '--log-format=json', 'internal']

/** What starts the tool's command line. */
export const toolCommand = (): readonly string[] => [
  process.execPath,
  join(import.meta.dirname, '../../bin/bundle-tool.js'),
]
