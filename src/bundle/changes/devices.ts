import type { Device, DeviceRule, RuntimeConfig } from '../../oci/runtime-config.ts'
import { type ListFlag, list, refusal } from './flag.ts'
import type { HostDevice } from './outside.ts'
import { hasNamespace, withLinux } from './values.ts'

interface GivenDevice extends HostDevice {
  readonly path: string
  /** Letters of `r`, `w` and `m`. */
  readonly access: string
}

export const device: ListFlag = list(
  { placeholder: 'path[:target][:rwm]', help: 'a device of the host, where it is in the container, and its rights' },
  {
    parse: (value, around): GivenDevice => {
      const { source, path, access } = splitDevice(value)
      const found = around.look(around.absolutePath(source))
      if (found === undefined) throw refusal(`there is no "${source}" on this host`)
      if (found === 'other') throw refusal(`"${source}" is no device`)
      if (!path.startsWith('/')) throw refusal('its target must be an absolute path in the container')
      return { ...found, path, access }
    },
    apply: addDevices,
    // One that is somewhere else on the host has no name here.
    show: ({ linux = {} }, _base, { look }) =>
      (linux.devices ?? [])
        .filter((one) => isOfHost(one, look(one.path)))
        .map(({ path, type, major, minor }) => {
          const rule = linux.resources?.devices?.find(
            (one) => one.allow && one.type === type && one.major === major && one.minor === minor,
          )
          return rule?.access === undefined || rule.access === 'rwm' ? path : `${path}:${rule.access}`
        }),
  },
)

function isOfHost({ type, major, minor }: Device, found: HostDevice | 'other' | undefined): boolean {
  return typeof found === 'object' && found.type === type && found.major === major && found.minor === minor
}

function splitDevice(value: string) {
  const [source = '', second, third, ...rest] = value.split(':')
  const isAccess = (text: string | undefined): boolean => text !== undefined && /^[rwm]{1,3}$/.test(text)
  if (rest.length > 0) throw refusal('it has too many colons')
  const [path, access] = third === undefined && isAccess(second) ? [undefined, second] : [second, third]
  if (access !== undefined && !isAccess(access)) throw refusal(`"${access}" must be letters of "rwm"`)
  return { source, path: path ?? source, access: access ?? 'rwm' }
}

/** In a user namespace the device is the host's own, mounted: its owner and its rights are not the container's. */
export function addDevices(config: RuntimeConfig, added: readonly GivenDevice[]): RuntimeConfig {
  const isMounted = hasNamespace(config, 'user')
  const nodes = added.map(({ path, type, major, minor, fileMode, uid, gid }): Device => {
    return { path, type, major, minor, ...(!isMounted && { fileMode, uid, gid }) }
  })
  const others = (config.linux?.devices ?? []).filter(({ path }) => !nodes.some((node) => node.path === path))
  const changed = withLinux(config, { devices: [...others, ...nodes] })
  const rules = added.map(({ type, major, minor, access }): DeviceRule => ({ allow: true, type, major, minor, access }))
  return isMounted ? changed : addRules(changed, rules)
}

/** Later rules win. */
function addRules(config: RuntimeConfig, rules: readonly DeviceRule[]): RuntimeConfig {
  const { resources = {} } = config.linux ?? {}
  return withLinux(config, { resources: { ...resources, devices: [...(resources.devices ?? []), ...rules] } })
}
