import type { Command } from 'commander'
import type { RegistryOptions } from '../registry/options.ts'
import { type CommandContext, warner } from './context.ts'

/** The flags of every command that talks to a registry. */
export interface RegistryFlags {
  readonly creds?: string
  readonly authfile?: string
  readonly insecure?: boolean
  /** The flag of `withForeignLayers`. */
  readonly foreignLayers?: boolean
}

/** Gives a command the flags that say how a registry is reached. */
export function withRegistryOptions(command: Command): Command {
  return command
    .option('--creds <user:password>', 'credentials of the registry (default: those of docker and podman)')
    .option('--authfile <file>', 'the file to look credentials up in')
    .option('--insecure', 'allow plain http, and TLS that cannot be verified')
}

/** Gives a command that fetches layers the flag for those that are not for distribution. */
export function withForeignLayers(command: Command): Command {
  return command.option(
    '--foreign-layers',
    'also take layers not for distribution, from their publisher if the registry lacks them',
  )
}

/** The options of a verb that the flags stand for. */
export function registryOptions(context: CommandContext, flags: RegistryFlags): RegistryOptions {
  const { log, io } = context
  const { creds: credentials, authfile: authFile, insecure, foreignLayers } = flags
  return {
    credentials,
    authFile,
    insecure,
    foreignLayers,
    env: io.env,
    log: (message) => log('debug', message),
    warn: warner(context),
  }
}
