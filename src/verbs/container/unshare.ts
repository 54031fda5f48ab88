import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { isatty } from 'node:tty'
import { isInInitialNamespace } from '../../bundle/id-mappings.ts'
import { compileUnshare } from '../../compile/unshare.ts'
import { isSystemError, OciError } from '../../errors.ts'
import { findHelper } from '../../host/facts.ts'
import type { IDMapping, IDMappings } from '../../oci/runtime-config.ts'
import { rootlessUid } from '../../oci/user-namespace.ts'
import { isHiddenVariable, variablePrefix, variables } from '../../program/contract.ts'
import { type RunProgramOptions, runProgram } from '../../runtime/runner.ts'
import { toolCommand } from '../../runtime/systemd-manager.ts'

export interface UnshareOptions {
  /** The command with its arguments. */
  readonly command: readonly string[]
  /** Its environment, to which `_CONTAINERS_ROOTLESS_UID` and the like are added, as podman does. Default: that of the process. */
  readonly env?: NodeJS.ProcessEnv | undefined
}

/**
 * Runs a command as root of a new user namespace, whose root is the caller and whose other ids are those that
 * /etc/subuid and /etc/subgid give the caller: what `podman unshare` does. Signals are passed on.
 *
 * @returns its exit code, or 128 + the signal that ended it
 * @throws OciError `ERR_USAGE` for root; `ERR_PERMISSION` the caller has no ids, or cannot map them;
 *   `ERR_COMMAND_NOT_FOUND`, `ERR_COMMAND_NOT_EXECUTABLE`
 */
export async function unshare(options: UnshareOptions): Promise<number> {
  return await runInNamespace(options)
}

/** The same for a command whose input and output are streams. */
export async function runInNamespace({
  command,
  env = process.env,
  stdio,
}: UnshareOptions & { readonly stdio?: RunProgramOptions['stdio'] }): Promise<number> {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0]
  if (uid === 0) throw needless()
  const mappings = subordinateMappings(uid, gid)
  const told = {
    ...env,
    _CONTAINERS_USERNS_CONFIGURED: '1',
    [rootlessUid]: `${uid}`,
    _CONTAINERS_ROOTLESS_GID: `${gid}`,
  }
  const variables = Object.entries(told).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
  const program = compileUnshare({ ...mappings, helpers: helpers(), command, env: variables, umask: process.umask() })
  // The terminal's signals come to each process of its group: of two that are told so, none needs to tell the other.
  const hasTerminal = isatty(0)
  try {
    const how = { forwardSignals: true, detached: !hasTerminal, stdio, drain: true }
    const outcome = await runProgram(program, { id: 'unshare', ...how })
    return outcome.kind === 'exited' ? outcome.status : 0
  } catch (error) {
    throw explained(error)
  }
}

/**
 * Calls the tool once more in such a namespace; undefined where this is root of one already.
 *
 * @param args of its command line
 * @throws OciError as `unshare`
 */
export async function repeatWithSubids(
  args: readonly string[],
  { name, env }: { readonly name: string; readonly env: NodeJS.ProcessEnv },
): Promise<number | undefined> {
  if (process.geteuid?.() === 0 && !isInInitialNamespace()) return undefined
  return unshare(toolInNamespace(args, { name, env }))
}

/** The tool with other words, as a command for `unshare`. */
export const toolInNamespace = (
  args: readonly string[],
  { name, env }: { readonly name: string; readonly env: NodeJS.ProcessEnv },
): Required<UnshareOptions> => ({
  command: [...toolCommand(), ...args],
  env: { ...hidden(env), [variables.name]: name },
})

/** True for a caller with subordinate ids and with the programs that map them. */
export function hasSubids(): boolean {
  const names = namesOf(process.geteuid?.() ?? 0)
  const hasRanges = ['/etc/subuid', '/etc/subgid'].every((file) => readRanges(file, names).length > 0)
  return hasRanges && findHelper('newuidmap') !== undefined && findHelper('newgidmap') !== undefined
}

/** As the front hides from Node.js what would change the code that it runs (native/system/environment.c); TLS is still wanted. */
function hidden(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [
      isHiddenVariable(name, true) ? `${variablePrefix}${name}` : name,
      value,
    ]),
  )
}

function needless(): OciError {
  return isInInitialNamespace()
    ? new OciError('ERR_USAGE', 'root needs no user namespace: owners are real', { hint: 'leave it out' })
    : new OciError('ERR_USAGE', 'this is root of a user namespace already', { hint: 'run the command itself' })
}

/** Root is the caller; then come the ranges that the files have for the caller, by name or by number, in their order. */
function subordinateMappings(uid: number, gid: number): IDMappings {
  const names = namesOf(uid)
  const uids = readRanges('/etc/subuid', names)
  const gids = readRanges('/etc/subgid', names)
  const missing = [...(uids.length === 0 ? ['/etc/subuid'] : []), ...(gids.length === 0 ? ['/etc/subgid'] : [])]
  if (missing.length === 0) return { uidMappings: stack(uid, uids), gidMappings: stack(gid, gids) }
  const [name] = names
  throw new OciError('ERR_PERMISSION', `the user ${name} has no subordinate ids in ${missing.join(' and ')}`, {
    hint: `have root add a line to ${missing.join(' and ')}, such as "${name}:100000:65536", of ids that nobody has`,
  })
}

/** The user's name, if there is one, and number: either may stand in the files. */
function namesOf(uid: number): readonly [string, ...string[]] {
  try {
    return [userInfo().username, `${uid}`]
  } catch (error) {
    if (isSystemError(error, 'ERR_SYSTEM_ERROR')) return [`${uid}`] // of uv_os_get_passwd: nobody has this number
    throw error
  }
}

interface Range {
  readonly first: number
  readonly size: number
}

/** @see man 5 subuid */
function readRanges(file: string, names: readonly string[]): readonly Range[] {
  const lines = new Set(readIfThere(file).split('\n'))
  return [...lines].flatMap((line) => {
    const [, name = '', first, size] = /^([^:]+):(\d+):(\d+)\s*$/.exec(line) ?? []
    return names.includes(name) && Number(size) > 0 ? [{ first: Number(first), size: Number(size) }] : []
  })
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return ''
    throw error
  }
}

function stack(own: number, ranges: readonly Range[]): readonly IDMapping[] {
  let containerID = 1
  const others = ranges.map(({ first, size }) => {
    containerID += size
    return { containerID: containerID - size, hostID: first, size }
  })
  return [{ containerID: 0, hostID: own, size: 1 }, ...others]
}

function helpers(): { readonly uid: string; readonly gid: string } {
  const [uid, gid] = [findHelper('newuidmap'), findHelper('newgidmap')]
  if (uid !== undefined && gid !== undefined) return { uid, gid }
  const missing = uid === undefined ? 'newuidmap' : 'newgidmap'
  throw new OciError('ERR_PERMISSION', `mapping subordinate ids needs ${missing}, which is not installed`, {
    hint: 'install the package uidmap (shadow-utils of Fedora and the like)',
  })
}

/** A namespace that cannot be made is a matter of the host's settings. */
function explained(error: unknown): unknown {
  if (!(error instanceof OciError) || error.code !== 'ERR_SYSCALL') return error
  return new OciError('ERR_PERMISSION', `cannot make a user namespace: ${error.message}`, {
    hint: error.hint,
    cause: error,
  })
}
