import { fileURLToPath } from 'node:url'
import type { HostFacts } from '../compile/facts.ts'
import type { SystemdManager } from '../compile/systemd.ts'
import { OciError } from '../errors.ts'
import { readManager, withSystemd } from './systemd.ts'

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
  const kind = facts.euid === 0 && !facts.inUserNamespace ? 'system' : 'user'
  return { kind, command: internalCommand(), ...(await withSystemd(kind, readManager)) }
}

/** The tool itself, for a step that needs D-Bus. */
export function internalCommand(): readonly string[] {
  const tool = fileURLToPath(new URL('../../bin/bundle-tool.js', import.meta.url))
  return [process.execPath, tool, '--log-format=json', 'internal']
}
