import { OciError } from '../../errors.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { isText } from '../../text.ts'
import { checkCapabilities } from './capabilities.ts'
import type { ConfigChanges } from './config-changes.ts'
import { refusal } from './flag.ts'
import { checkMountPoints } from './mounts.ts'
import type { Surroundings } from './outside.ts'
import { changeArgs } from './process.ts'
import { withSeccompOfCapabilities } from './rights.ts'
import { configFlags, type NamedFlag } from './table.ts'

/**
 * Makes changes in a config.json, in the order of the table of flags.
 *
 * @returns a new config; members that no change concerns are the same objects
 * @throws OciError naming the flag and the value; `ERR_USAGE` for a value that makes no sense and for a change that does not exist
 */
export function applyChanges(config: RuntimeConfig, changes: ConfigChanges, around: Surroundings): RuntimeConfig {
  checkNames(changes)
  const { args, capAdd, capDrop } = changes
  const given = configFlags.reduce((changed, named) => applyFlag(changed, named, { changes, around }), config)
  const flagged = withSeccompOfCapabilities(given, config, around)
  checkMountPoints(changes)
  checkCapabilities(capAdd, capDrop)
  if (args !== undefined) checkStrings('args', args)
  const changed = args === undefined ? flagged : changeArgs(flagged, args)
  if (changed.process.args.length > 0) return changed
  throw refusal('--entrypoint leaves nothing to run', 'name a command behind "--"')
}

interface Given {
  readonly changes: ConfigChanges
  readonly around: Surroundings
}

function applyFlag(config: RuntimeConfig, { name, property, flag }: NamedFlag, { changes, around }: Given) {
  const value: unknown = changes[property]
  if (value === undefined) return config
  switch (flag.kind) {
    case 'switch':
      if (typeof value !== 'boolean') throw refusal(`the change "${property}" must be true or false`)
      return flag.change(config, value, around, name)
    case 'text':
      if (typeof value !== 'number') checkStrings(property, [value])
      return flag.change(config, String(value), around, name)
    case 'list':
      checkStrings(property, value)
      return value.length === 0 ? config : flag.change(config, value, around, name)
  }
}

/** A NUL ends a string of the kernel's, and half a character is no text. */
function checkStrings(property: string, values: unknown): asserts values is readonly string[] {
  if (!Array.isArray(values)) throw refusal(`the change "${property}" must be an array of strings`)
  for (const value of values) {
    if (typeof value !== 'string')
      throw refusal(`the change "${property}" must be a string, not ${JSON.stringify(value)}`)
    if (value.includes('\0') || !isText(value)) {
      throw refusal(`the change "${property}" is no text: ${JSON.stringify(value)}`)
    }
  }
}

function checkNames(changes: ConfigChanges): void {
  const known = ['args', ...configFlags.map(({ property }) => property)]
  const wrong = Object.keys(changes).find((name) => !known.includes(name))
  if (wrong === undefined) return
  throw new OciError('ERR_USAGE', `there is no change "${wrong}"`, { hint: `there are ${known.sort().join(', ')}` })
}
