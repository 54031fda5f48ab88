import type { Command } from 'commander'

/** The flag of every command that works with the store. */
export interface StoreFlags {
  readonly store?: string
}

export function withStoreOption(command: Command): Command {
  return command.option(
    '--store <directory>',
    'where fetched images are kept (default: /var/lib/bundle-tool, or below $XDG_DATA_HOME)',
  )
}
