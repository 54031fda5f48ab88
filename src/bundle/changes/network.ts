import type { Mount, Namespace, RuntimeConfig } from '../../oci/runtime-config.ts'
import { refusal, type TextFlag, text } from './flag.ts'
import { isSame } from './merge-document.ts'
import type { Surroundings } from './outside.ts'
import { hasNamespace, withLinux } from './values.ts'

/** The files of the host by which names are found in its network. */
const nameFiles = ['/etc/resolv.conf', '/etc/hosts'] as const

const nameMount = (path: string): Mount => ({
  destination: path,
  type: 'bind',
  source: path,
  options: ['rbind', 'rprivate', 'ro'],
})

type Network = { readonly kind: 'host' | 'none' } | { readonly kind: 'path'; readonly path: string }

export const network: TextFlag = text(
  {
    placeholder: 'host|none|ns:path',
    help: "the host's network and its names, none at all, or the namespace at a path",
  },
  {
    parse: parseNetwork,
    apply: (config, chosen, around) => {
      const others = (config.linux?.namespaces ?? []).filter(({ type }) => type !== 'network')
      const own: readonly Namespace[] =
        chosen.kind === 'host' ? [] : [{ type: 'network', ...(chosen.kind === 'path' && { path: chosen.path }) }]
      const joined = withLinux(config, { namespaces: [...others, ...own] })
      return chosen.kind === 'none' ? withoutNames(joined) : withNamesOfHost(joined, around)
    },
    show: (config, base) => {
      const own = config.linux?.namespaces?.find(({ type }) => type === 'network')
      if (own?.path) return `ns:${own.path}`
      if (own !== undefined) return hasNamespace(base, 'network') ? undefined : 'none'
      return hasNamespace(base, 'network') || hasNamesOfHost(config) !== hasNamesOfHost(base) ? 'host' : undefined
    },
  },
)

function parseNetwork(value: string, around: Surroundings): Network {
  if (value === 'host' || value === 'none') return { kind: value }
  if (!value.startsWith('ns:')) {
    throw refusal(
      `there is no network "${value}"`,
      'use host, none, or ns:PATH for one that CNI or "ip netns add" has made',
    )
  }
  const path = around.absolutePath(value.slice('ns:'.length))
  if (around.look(path) === undefined) throw refusal(`there is no "${path}" on this host`)
  return { kind: 'path', path }
}

/** A config whose programs find names as the host's do; what else is mounted at these files stays. */
function withNamesOfHost(config: RuntimeConfig, around: Surroundings): RuntimeConfig {
  const isFree = (path: string): boolean => config.mounts?.every(({ destination }) => destination !== path) !== false
  const files = nameFiles.filter((path) => around.look(path) !== undefined && isFree(path))
  return { ...config, mounts: [...(config.mounts ?? []), ...files.map(nameMount)] }
}

function withoutNames(config: RuntimeConfig): RuntimeConfig {
  if (config.mounts === undefined) return config
  return { ...config, mounts: config.mounts.filter((mount) => !isNameMount(mount)) }
}

/** True for a mount that a network brings along. */
export const isNameMount = (mount: Mount): boolean => nameFiles.some((path) => isSame(mount, nameMount(path)))

/** True for a container with the names of the host, unless its network is one of its own without a path. */
export const hasNamesOfHost = ({ mounts = [], linux }: RuntimeConfig): boolean =>
  linux?.namespaces?.some(({ type, path }) => type === 'network' && !path) !== true && mounts.some(isNameMount)
