import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { barriers } from '../../program/contract.ts'
import { type HostStep, op, type Step, type Text, undoable } from '../../program/program.ts'
import type { SeccompFilter } from './filter.ts'

/** The steps with which a process gets its filter. */
export interface SeccompSteps {
  /** True when it is loaded before privileges are dropped, since that needs one without no_new_privs; else it is last. */
  readonly isEarly: boolean
  readonly child: readonly Step[]
  /** Host steps, while the process waits, that send the listener of a filter that notifies to the agent. */
  readonly host: readonly HostStep[]
}

/** The longest time that an agent, asked about system calls, may delay the start of the command. */
const agentTimeoutMs = 10_000

/** A host step that waits for the container's process, with a timeout if an agent could delay it. */
export function awaitReady(barrier: number, { seccomp }: { readonly seccomp: SeccompSteps }): Step {
  if (seccomp.host.length === 0) return op('sync_wait', { barrier })
  return op('sync_within', { barrier, timeoutMs: agentTimeoutMs }, '/linux/seccomp/listenerPath')
}

/** The filter of the profile, and the receivers of messages about it. */
export interface SeccompOptions {
  /** The result of `compileSeccomp`; required if config.json has `linux.seccomp`. */
  readonly filter?: SeccompFilter | undefined
  readonly warn?: ((message: string) => void) | undefined
  readonly debug?: ((message: string) => void) | undefined
}

/** The steps of a process without a filter. */
export const noSeccomp: SeccompSteps = { isEarly: false, child: [], host: [] }

/**
 * Compiles the steps for `linux.seccomp`.
 *
 * After a process has loaded a filter that notifies, a system call that notifies blocks it until the agent listens. So it
 * does not send the listener: it stores the number where the host can read it, and the host takes the descriptor with
 * pidfd_getfd(2).
 * @param situation the bundle, and the status that is sent to the agent
 */
export function compileSeccompSteps(
  config: RuntimeConfig,
  situation: { readonly bundle: string; readonly status: 'creating' | 'running' } & SeccompOptions,
): SeccompSteps {
  const seccomp = config.linux?.seccomp
  if (!seccomp) return noSeccomp
  const from = '/linux/seccomp'
  const { filter } = situation
  if (filter === undefined) throw new TypeError('the filter of linux.seccomp is not given')
  for (const warning of filter.warnings) situation.warn?.(warning)
  for (const note of filter.notes) situation.debug?.(note)
  situation.debug?.(`seccomp filter flags: ${filter.flags}`)
  const load = op('seccomp', { filter: filter.instructions, flags: filter.flags, listener: 'listener' }, from)
  const isEarly = !config.process.noNewPrivileges
  if (!filter.usesNotify) return { isEarly, child: [load], host: [] }
  const path = `${from}/listenerPath`
  const host = [
    op('sync_wait', { barrier: barriers.listener }, from),
    op('take_listener', { to: 'listener' }, from),
    op('connect', { to: 'agent', path: seccomp.listenerPath ?? '' }, path),
    op('send_fd', { socket: 'agent', slot: 'listener', name: processState(config, situation) }, path),
    op('close', { slot: 'agent' }, path),
    op('close', { slot: 'listener' }, path),
  ]
  return {
    isEarly,
    child: [load, op('sync_send', { barrier: barriers.listener }, from)],
    host: host.map((step) => undoable(step)),
  }
}

/** The JSON that is sent to the agent. @see runtime-spec v1.3.0 config-linux.md "The Container Process State" */
function processState(
  { annotations, linux }: RuntimeConfig,
  { bundle, status }: { readonly bundle: string; readonly status: string },
): Text {
  const version = '1.3.0'
  const metadata = linux?.seccomp?.listenerMetadata
  const rest = JSON.stringify({ bundle, ...(annotations === undefined ? {} : { annotations }) }).slice(1)
  return [
    `{"ociVersion":"${version}","fds":["seccompFd"],"pid":`,
    { register: 'pid' },
    metadata === undefined ? '' : `,"metadata":${JSON.stringify(metadata)}`,
    `,"state":{"ociVersion":"${version}","id":"`,
    { register: 'id' },
    `","status":"${status}","pid":`,
    { register: 'pid' },
    `,${rest}}`,
  ]
}
