import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { barriers } from '../../program/contract.ts'
import { type HostStep, op, type Step, type Text, undoable } from '../../program/program.ts'
import type { SeccompFilter } from './filter.ts'

/** How a process gets its filter. */
export interface SeccompSteps {
  /** Load it before privileges are dropped: without no_new_privs it takes one. Else it is loaded last. */
  readonly isEarly: boolean
  readonly child: readonly Step[]
  /** While the process waits: the agent gets the listener of a filter that notifies. */
  readonly host: readonly HostStep[]
}

/** How long a process may be kept from its command by an agent that is asked about its system calls. */
const agentTimeoutMs = 10_000

/** Host step: waits for the container's process, which an agent can hold up once it has its filter. */
export function awaitReady(barrier: number, { seccomp }: { readonly seccomp: SeccompSteps }): Step {
  if (seccomp.host.length === 0) return op('sync_wait', { barrier })
  return op('sync_within', { barrier, timeoutMs: agentTimeoutMs }, '/linux/seccomp/listenerPath')
}

/** The filter of the profile, and who hears what is worth saying of it. */
export interface SeccompOptions {
  /** `compileSeccomp` of `linux.seccomp`, which must be given where a config has one. */
  readonly filter?: SeccompFilter | undefined
  readonly warn?: ((message: string) => void) | undefined
  readonly debug?: ((message: string) => void) | undefined
}

export const noSeccomp: SeccompSteps = { isEarly: false, child: [], host: [] }

/**
 * The steps of `linux.seccomp`.
 *
 * The process that loaded a notifying filter may do nothing that could be notified before the agent listens, so it does
 * not send the listener: it leaves the number where the host sees it, and the host takes the descriptor, pidfd_getfd(2).
 * @param situation the bundle, and the status that the agent is told
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

/** @see runtime-spec v1.3.0 config-linux.md "The Container Process State" */
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
