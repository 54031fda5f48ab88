import type { ConfigChanges } from '../bundle/changes/config-changes.ts'
import { needsUserNamespace } from '../caller-rights.ts'
import type { BundleFlags } from './bundle-options.ts'
import type { CommandContext } from './context.ts'
import { asksForLog } from './globals.ts'

/**
 * Says in one line, on standard error, which network the containers of a new bundle have, and how to change that. It says
 * nothing about a network that was asked for, and to callers that want JSON, a log or quiet.
 */
export function tellNetwork(
  { io, isJson, globals }: CommandContext,
  { quiet, subids }: BundleFlags,
  { network }: ConfigChanges,
): void {
  if (network !== undefined || quiet || isJson() || asksForLog(globals())) return
  const isHost = subids || needsUserNamespace()
  io.stderr.write(
    `network: ${isHost ? "the host's; others by --network pasta, none" : 'none; one by --network host, pasta'} ...\n`,
  )
}
