import { userInfo } from 'node:os'
import { isSystemError } from '../../errors.ts'
import { defaultStorePath } from '../../store/location.ts'
import { reflinks, runtimeDirectory, subordinateIDs } from './doctor/caller.ts'
import type { Caller, Finding } from './doctor/finding.ts'
import { cgroups, kernel, namespaces, overlays, procfs, seccomp, userNamespaces } from './doctor/kernel.ts'
import { criu, interpreter, networks, node, ownBinaries } from './doctor/programs.ts'

export type { Finding } from './doctor/finding.ts'

export interface DoctorOptions {
  /** Directory of the store; default: /var/lib/bundle-tool, or `$XDG_DATA_HOME/bundle-tool` for others than root. */
  readonly store?: string | undefined
  /** The state root; default: `defaultRoot` of this process. */
  readonly root?: string | undefined
  readonly env?: NodeJS.ProcessEnv | undefined
}

/**
 * Finds out what works on this host for this caller. It changes nothing.
 *
 * @returns a finding for each thing; plain use works where none has failed
 */
export async function doctor({ store, root, env = process.env }: DoctorOptions = {}): Promise<readonly Finding[]> {
  const euid = process.geteuid?.() ?? 0
  const caller: Caller = { euid, name: nameOf(euid), env, store: store ?? defaultStorePath(env), root }
  return [
    kernel(),
    namespaces(),
    await userNamespaces(caller),
    procfs(),
    cgroups(caller),
    subordinateIDs(caller),
    await seccomp(caller),
    overlays(caller),
    reflinks(caller),
    networks(caller),
    criu(caller),
    runtimeDirectory(caller),
    ownBinaries(),
    interpreter(),
    node(),
  ]
}

function nameOf(euid: number): string {
  try {
    return userInfo().username
  } catch (error) {
    if (isSystemError(error, 'ERR_SYSTEM_ERROR')) return `${euid}` // nobody has this number
    throw error
  }
}
