import { OciError } from '../errors.ts'
import type { Capabilities, Process } from './runtime-config.ts'

/** Differences between the process of an `exec` and the container's own process. */
export interface ProcessChanges {
  readonly args?: readonly string[] | undefined
  readonly cwd?: string | undefined
  /** `NAME=value` each, added after the container's own. */
  readonly env?: readonly string[] | undefined
  readonly terminal?: boolean | undefined
  /** `UID[:GID]` in numbers. */
  readonly user?: string | undefined
  readonly additionalGids?: readonly number[] | undefined
  /** Capabilities to add. */
  readonly capabilities?: readonly string[] | undefined
  readonly noNewPrivileges?: boolean | undefined
  readonly apparmorProfile?: string | undefined
  readonly selinuxLabel?: string | undefined
}

/**
 * Applies the options of `exec` to the container's process.
 *
 * @throws OciError `ERR_USAGE` there is no command, or a user or variable is invalid
 * @see runc exec.go "getProcess"
 */
export function changedProcess(process: Process, changes: ProcessChanges): Process {
  const { args = [] } = changes
  if (args.length === 0) throw new OciError('ERR_USAGE', 'process args cannot be empty', { hint: 'name a command' })
  return {
    ...process,
    args,
    terminal: changes.terminal ?? false,
    cwd: changes.cwd ?? process.cwd,
    env: [...(process.env ?? []), ...(changes.env ?? []).map(checkVariable)],
    user: {
      ...process.user,
      ...(changes.user === undefined ? {} : parseUser(changes.user)),
      additionalGids: [...(process.user.additionalGids ?? []), ...(changes.additionalGids ?? [])],
    },
    capabilities: withCapabilities(process.capabilities, changes.capabilities ?? []),
    noNewPrivileges: changes.noNewPrivileges ?? process.noNewPrivileges,
    apparmorProfile: changes.apparmorProfile ?? process.apparmorProfile,
    selinuxLabel: changes.selinuxLabel ?? process.selinuxLabel,
    consoleSize: undefined,
  }
}

function checkVariable(variable: string): string {
  if (variable.indexOf('=') > 0 && !variable.includes('\0')) return variable
  throw new OciError('ERR_USAGE', `invalid environment variable "${variable}": it must be NAME=value`)
}

const maxId = 2 ** 32 - 2

/** Parses numbers only, in range: a name that became 0 would be root (CVE-2026-30892). */
function parseUser(text: string): { readonly uid: number; readonly gid?: number } {
  const [uid, gid] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text)?.slice(1).map(toId) ?? []
  if (uid === undefined || uid > maxId || (gid !== undefined && gid > maxId)) {
    throw new OciError('ERR_USAGE', `"${text}" is not UID[:GID]`, { hint: 'use numbers, as in 1000:1000' })
  }
  return { uid, ...(gid === undefined ? {} : { gid }) }
}

function toId(digits: string | undefined): number | undefined {
  return digits === undefined ? undefined : Number(digits)
}

/** Adds capabilities: never to the inheritable set, and to the ambient set only if that one is not empty (CVE-2022-29162). */
function withCapabilities(own: Capabilities = {}, added: readonly string[]): Capabilities {
  if (added.length === 0) return own
  const plus = (names: readonly string[] = []): readonly string[] => [...new Set([...names, ...added])]
  const hasInheritable = (own.inheritable ?? []).length > 0
  return {
    ...own,
    bounding: plus(own.bounding),
    effective: plus(own.effective),
    permitted: plus(own.permitted),
    ...(hasInheritable ? { ambient: plus(own.ambient) } : {}),
  }
}
