import { readFileSync } from 'node:fs'
import { type CapabilityName, hasCapability } from './program/flags.ts'

/** True when the caller has all of these capabilities, in its own user namespace. */
export function callerHas(...names: readonly CapabilityName[]): boolean {
  const [, mask = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return names.every((name) => hasCapability(BigInt(`0x${mask}`), name))
}

/** True for a caller whose containers must be in a user namespace: a user, and root in a container that an engine has made. */
export const needsUserNamespace = (): boolean => process.geteuid?.() !== 0 || !callerHas('CAP_SYS_ADMIN')
