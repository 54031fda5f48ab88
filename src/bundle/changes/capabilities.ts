import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { capabilityNames } from '../../program/flags.ts'
import { type ListFlag, list, refusal } from './flag.ts'
import { isSame } from './merge-document.ts'
import { withProcess } from './process.ts'

const all = 'ALL'

export const capAdd: ListFlag = list(
  { placeholder: 'capability', help: 'a right of root, as NET_ADMIN, or ALL' },
  {
    parse: parseCapability,
    apply: (config, names) =>
      withCapabilities(config, names.includes(all) ? capabilityNames : [...capabilitiesOf(config), ...names]),
    show: (config, base) => {
      const own = capabilitiesOf(config)
      if (own.length === capabilityNames.length) return [all]
      return without(own, capabilitiesOf(base)).map(short)
    },
  },
)

export const capDrop: ListFlag = list(
  { placeholder: 'capability', help: 'a right that root is not to have, as CHOWN, or ALL; what is added stays' },
  {
    parse: parseCapability,
    apply: (config, names) =>
      withCapabilities(config, names.includes(all) ? [] : without(capabilitiesOf(config), names)),
    show: (config, base) => without(capabilitiesOf(base), capabilitiesOf(config)).map(short),
  },
)

/** @throws OciError `ERR_USAGE` a capability is added and dropped */
export function checkCapabilities(added: readonly string[] = [], dropped: readonly string[] = []): void {
  const names = dropped.map(parseCapability)
  const both = added.map(parseCapability).find((name) => names.includes(name))
  if (both !== undefined) throw refusal(`${short(both)} is given with --cap-add and with --cap-drop`)
}

export const capabilitiesOf = ({ process }: RuntimeConfig): readonly string[] => process.capabilities?.bounding ?? []

/** As the sets of engines: bounding, effective and permitted alike, and nothing that a program of another user inherits. */
export function withCapabilities(config: RuntimeConfig, names: readonly string[]): RuntimeConfig {
  const list = capabilityNames.filter((name) => names.includes(name))
  const { bounding, effective, permitted, ...others } = config.process.capabilities ?? {}
  const isList = (set: readonly string[] = []): boolean => isSame([...set].sort(), [...list].sort())
  if ([bounding, effective, permitted].every(isList) && Object.keys(others).length === 0) return config
  return withProcess(config, { capabilities: { bounding: list, effective: list, permitted: list } })
}

function parseCapability(text: string): string {
  const name = text.toUpperCase()
  if (name === all) return all
  const found = capabilityNames.find((known) => known === name || known === `CAP_${name}`)
  if (found === undefined) throw refusal('there is no such capability', 'capabilities(7) has them')
  return found
}

const without = (names: readonly string[], others: readonly string[]): readonly string[] =>
  names.filter((name) => !others.includes(name))

const short = (name: string): string => name.replace(/^CAP_/, '')
