import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSystemError } from '../errors.ts'

/** A setting of the kernel's that forbids user namespaces. */
export interface NamespaceSwitch {
  readonly name: string
  readonly value: string
  /** The command that allows them. */
  readonly fix: string
}

interface Switch {
  readonly name: string
  readonly forbids: string
  readonly allows: string
  /** True for one that lets a namespace be made, and takes its rights away. */
  readonly isLate?: boolean
}

const switches: readonly Switch[] = [
  { name: 'user.max_user_namespaces', forbids: '0', allows: '15000' },
  { name: 'kernel.unprivileged_userns_clone', forbids: '0', allows: '1' },
  { name: 'kernel.apparmor_restrict_unprivileged_userns', forbids: '1', allows: '0', isLate: true },
]

/**
 * Finds the setting that forbids user namespaces to users.
 *
 * @param isMade true for a namespace that could be made, in which something is forbidden
 * @param settings the directory of the kernel's settings
 */
export function forbiddingSwitch(isMade = false, settings = '/proc/sys'): NamespaceSwitch | undefined {
  const found = switches.find(
    ({ name, forbids, isLate }) => (isLate || !isMade) && settingOf(name, settings) === forbids,
  )
  if (found === undefined) return undefined
  const { name, forbids: value, allows } = found
  return { name, value, fix: `sudo sysctl -w ${name}=${allows}` }
}

function settingOf(name: string, settings: string): string | undefined {
  try {
    return readFileSync(join(settings, name.replaceAll('.', '/')), 'utf8').trim()
  } catch (error) {
    if (!isSystemError(error)) throw error
    return undefined
  }
}
