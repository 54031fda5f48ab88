import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { isSame } from './merge-document.ts'
import type { Surroundings } from './outside.ts'
import { argsBehindEntrypoint } from './process.ts'
import { configFlags, type NamedFlag } from './table.ts'

/**
 * The words of a command line that make `base` the same as `config`, as far as there are flags for it.
 *
 * @returns words as they stand behind a command: `--env=A=b`, `--tty`, `--`, `sh`
 */
export function showChanges(config: RuntimeConfig, base: RuntimeConfig, look: Surroundings['look']): readonly string[] {
  const args = argsBehindEntrypoint(config)
  const isBase = isSame(config.process.args, base.process.args)
  return [
    ...configFlags.flatMap((named) => showFlag(named, { config, base, look })),
    ...(isBase ? [] : ['--', ...args]),
  ]
}

interface Shown {
  readonly config: RuntimeConfig
  readonly base: RuntimeConfig
  readonly look: Surroundings['look']
}

function showFlag({ name, flag }: NamedFlag, { config, base, look }: Shown): readonly string[] {
  switch (flag.kind) {
    case 'switch': {
      const isSet = flag.show(config, base, look)
      return isSet === undefined ? [] : [isSet ? `--${name}` : `--no-${name}`]
    }
    case 'text': {
      const value = flag.show(config, base, look)
      return value === undefined ? [] : [`--${name}=${value}`]
    }
    case 'list':
      return flag.show(config, base, look).map((value) => `--${name}=${value}`)
  }
}
