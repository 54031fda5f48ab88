import type { Device, RuntimeConfig } from '../../oci/runtime-config.ts'
import type { JsonValue } from '../json-text.ts'

/** A device that every container may use; one with a path also has a node in /dev. -1 stands for any number. */
interface DefaultDevice {
  readonly type: 'c' | 'b'
  readonly major: number
  readonly minor: number
  readonly access: string
  readonly path?: string
}

/** @see runc libcontainer/specconv/spec_linux.go "AllowedDevices" */
const defaultDevices: readonly DefaultDevice[] = [
  { type: 'c', major: -1, minor: -1, access: 'm' },
  { type: 'b', major: -1, minor: -1, access: 'm' },
  { type: 'c', major: 1, minor: 3, access: 'rwm', path: '/dev/null' },
  { type: 'c', major: 1, minor: 8, access: 'rwm', path: '/dev/random' },
  { type: 'c', major: 1, minor: 7, access: 'rwm', path: '/dev/full' },
  { type: 'c', major: 5, minor: 0, access: 'rwm', path: '/dev/tty' },
  { type: 'c', major: 1, minor: 5, access: 'rwm', path: '/dev/zero' },
  { type: 'c', major: 1, minor: 9, access: 'rwm', path: '/dev/urandom' },
  { type: 'c', major: 136, minor: -1, access: 'rwm' },
  { type: 'c', major: 5, minor: 2, access: 'rwm' },
  { type: 'c', major: 10, minor: 200, access: 'rwm' },
]

type HostID = (id: number, kind: 'uid' | 'gid') => number | undefined

/** The nodes in /dev: the default ones that config.json does not name itself, then its own. */
export function libcontainerDevices(config: RuntimeConfig, hostID: HostID): JsonValue {
  const isMapped = config.linux?.namespaces?.some(({ type }) => type === 'user')
  const root = { uid: hostID(0, 'uid') ?? 0, gid: hostID(0, 'gid') ?? 0 }
  const nodes = unnamed(config).flatMap((device) =>
    device.path === undefined ? [] : [{ ...rule(device, true), path: device.path, file_mode: 0o666, uid: 0, gid: 0 }],
  )
  const own = (config.linux?.devices ?? []).map((device: Device) => ({
    type: letter(device.type),
    major: device.major ?? 0,
    minor: device.minor ?? 0,
    permissions: '',
    allow: false,
    path: device.path,
    file_mode: (device.fileMode ?? 0o666) & 0o7777,
    uid: device.uid ?? 0,
    gid: device.gid ?? 0,
  }))
  return [...nodes, ...own].map((node) => (isMapped ? { ...node, ...root } : node))
}

/** The rules of the device cgroup: those of config.json, then the default devices. */
export function libcontainerDeviceRules(config: RuntimeConfig): JsonValue {
  const rules = config.linux?.resources?.devices ?? []
  return [
    ...rules.map(({ type, major, minor, access, allow }) => ({
      type: letter(type ?? 'a'),
      major: major ?? -1,
      minor: minor ?? -1,
      permissions: access ?? '',
      allow,
    })),
    ...unnamed(config).map((device) => rule(device, true)),
  ]
}

const unnamed = (config: RuntimeConfig): readonly DefaultDevice[] =>
  defaultDevices.filter(({ path }) => path === undefined || !config.linux?.devices?.some((own) => own.path === path))

const rule = ({ type, major, minor, access }: DefaultDevice, allow: boolean): Record<string, JsonValue> => ({
  type: letter(type),
  major,
  minor,
  permissions: access,
  allow,
})

/** The type of a device as the code of its letter; `u` is another name for `c`. */
const letter = (type: string): number => (type === 'u' ? 'c' : type).charCodeAt(0)
