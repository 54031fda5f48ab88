import { defaultConfig } from '../../../src/bundle/default-config.ts'
import { type Json, type ObserveOptions, script } from '../observe.ts'

/** A configuration that is run under both runtimes. */
export interface Case extends ObserveOptions {
  readonly config: Json
  /** The exit code that is expected from both, where it is known. */
  readonly status?: number
  /** The first minor version of runc 1 that has what is asked for. */
  readonly since?: number
}

export type Cases = Readonly<Record<string, Case>>

export interface Change extends Json {
  process?: Json
  linux?: Json
  /** Mounts to add to the default ones, or to put in their place. */
  mounts?: readonly Json[]
}

/** The config.json that `runc spec` writes, which runs the observing script without a terminal, changed. */
export function config({ process, linux, mounts = [], ...top }: Change = {}): Json {
  const base = defaultConfig({ rootless: false, cgroupNamespace: false, uid: 0, gid: 0 })
  return JSON.parse(
    JSON.stringify({
      ...base,
      ...top,
      process: { ...base.process, terminal: false, args: ['/bin/sh', '-c', script], ...process },
      linux: { ...base.linux, ...linux },
      mounts: withMounts(base.mounts ?? [], mounts),
    }),
  )
}

function withMounts(base: readonly { readonly destination: string }[], own: readonly Json[]): readonly object[] {
  const isDefault = ({ destination }: Json) => base.some((mount) => mount.destination === destination)
  return [
    ...base.map((mount) => own.find(({ destination }) => destination === mount.destination) ?? mount),
    ...own.filter((mount) => !isDefault(mount)),
  ]
}

/** A container that runs this text instead of the observing script. */
export const shell = (text: string, change: Change = {}): Json =>
  config({ ...change, process: { args: ['/bin/sh', '-c', text], ...change.process } })

/** A case for each of these values, named after it. */
export const each = <T>(name: string, values: readonly T[], make: (value: T) => Case): Cases =>
  Object.fromEntries(values.map((value) => [`${name} ${value}`, make(value)]))

export const user = (uid: number, gid: number, rest: Json = {}): Json => ({ user: { uid, gid, ...rest } })

export const allSets = (names: readonly string[]): Json =>
  Object.fromEntries(['bounding', 'effective', 'permitted', 'inheritable', 'ambient'].map((set) => [set, names]))

export const namespaces = (...types: readonly string[]): Json => ({ namespaces: types.map((type) => ({ type })) })

export const tmpfs = (destination: string, ...options: string[]): Json => ({
  destination,
  type: 'tmpfs',
  source: 'tmpfs',
  options,
})

export const bind = (source: string, destination: string, ...options: string[]): Json => ({
  destination,
  type: 'bind',
  source,
  options: ['bind', ...options],
})

export const mappings = (hostID: number): readonly Json[] => [{ containerID: 0, hostID, size: 65536 }]

export const everyNamespace: readonly string[] = ['pid', 'network', 'ipc', 'uts', 'mount', 'user']

/** `linux` of a container in a user namespace. */
export const mapped: Json = {
  ...namespaces(...everyNamespace),
  uidMappings: mappings(100000),
  gidMappings: mappings(200000),
}

/** The default namespaces with one more. */
export const withNamespace = (...types: readonly string[]): Json =>
  namespaces('pid', 'network', 'ipc', 'uts', 'mount', ...types)
