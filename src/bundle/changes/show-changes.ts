import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import type { ShownHost } from './flag.ts'
import { isSame } from './merge-document.ts'
import { argsBehindEntrypoint } from './process.ts'
import { configFlags, type NamedFlag } from './table.ts'

/**
 * The words of a command line that make `base` the same as `config`, as far as there are flags for it.
 *
 * @returns words as they stand behind a command: `--env=A=b`, `--tty`, `--`, `sh`
 */
export function showChanges(config: RuntimeConfig, base: RuntimeConfig, host: ShownHost): readonly string[] {
  const args = argsBehindEntrypoint(config)
  const isBase = isSame(config.process.args, base.process.args)
  return [
    ...configFlags.flatMap((named) => showFlag(named, { config, base, host })),
    ...(isBase ? [] : ['--', ...args]),
  ]
}

interface Shown {
  readonly config: RuntimeConfig
  readonly base: RuntimeConfig
  readonly host: ShownHost
}

function showFlag({ name, flag }: NamedFlag, { config, base, host }: Shown): readonly string[] {
  switch (flag.kind) {
    case 'switch': {
      const isSet = flag.show(config, base, host)
      return isSet === undefined ? [] : [isSet ? `--${name}` : `--no-${name}`]
    }
    case 'text': {
      const value = flag.show(config, base, host)
      return value === undefined ? [] : [`--${name}=${value}`]
    }
    case 'list':
      return flag.show(config, base, host).map((value) => `--${name}=${value}`)
  }
}
