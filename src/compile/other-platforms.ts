import type { RuntimeConfig } from '../oci/runtime-config.ts'
import type { CompileOptions } from './context.ts'

const sections: readonly string[] = ['vm', 'windows', 'solaris', 'zos']

/** Warns of non-empty sections for other platforms, which are ignored here, as by runc. */
export function warnOfOtherPlatforms(config: RuntimeConfig, warn: CompileOptions['warn']): void {
  for (const [name, value] of Object.entries(config)) {
    const isSet = typeof value === 'object' && value !== null && Object.keys(value).length > 0
    if (isSet && sections.includes(name)) warn?.(`config.json: ignoring "${name}", which is for another platform`)
  }
}
