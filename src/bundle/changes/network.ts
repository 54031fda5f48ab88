import { isIP } from 'node:net'
import {
  type AnnotatedNetwork,
  annotatedList,
  annotatedNetwork,
  type NetworkList,
  networkAnnotations,
  networkPrograms,
  parseAnnotatedNetwork,
} from '../../oci/network-annotations.ts'
import { formatPublishedPorts, type PublishedPorts, parsePublishedPorts } from '../../oci/port.ts'
import type { Namespace, RuntimeConfig } from '../../oci/runtime-config.ts'
import { withHostSys } from '../default-config.ts'
import { type FlagText, type ListFlag, list, refusal, type TextFlag, text } from './flag.ts'
import { hasNamesOfHost, withNamesOfHost, withOwnNames, withoutNames } from './names.ts'
import type { Surroundings } from './outside.ts'
import { hasNamespace, withLinux } from './values.ts'

type Network = AnnotatedNetwork | { readonly kind: 'host' | 'none' } | { readonly kind: 'path'; readonly path: string }

/** The whole of a container's network begins anew: ports and name servers of another one go. */
export const network: TextFlag = text(
  {
    placeholder: 'network',
    help: 'host, none, pasta or slirp4netns, ns:PATH of a namespace, or container:ID',
  },
  {
    parse: parseNetwork,
    apply: (config, chosen, around) => {
      const others = (config.linux?.namespaces ?? []).filter(({ type }) => type !== 'network')
      const own: readonly Namespace[] =
        chosen.kind === 'host' ? [] : [{ type: 'network', ...(chosen.kind === 'path' && { path: chosen.path }) }]
      const mounts = own.length === 0 && around.inUserNamespace ? config.mounts?.map(withHostSys) : config.mounts
      const shown = mounts === undefined ? config : { ...config, mounts }
      const joined = withLinux(withoutNames(shown), { namespaces: [...others, ...own] })
      const annotated = withAnnotatedNetwork(joined, chosen)
      const isOfHost = chosen.kind === 'host' || chosen.kind === 'path'
      return withOwnNames(isOfHost ? withNamesOfHost(annotated, around.look) : annotated)
    },
    show: (config, base) => {
      const own = config.linux?.namespaces?.find(({ type }) => type === 'network')
      if (own?.path) return `ns:${own.path}`
      if (own !== undefined) {
        const shown = annotatedNetwork(config)
        if (shown !== undefined) return nameOf(shown)
        return hasNamespace(base, 'network') ? undefined : 'none'
      }
      const hasMoreNames = hasNamesOfHost(config) && !hasNamesOfHost(base)
      return hasNamespace(base, 'network') || hasMoreNames ? 'host' : undefined
    },
  },
)

function parseNetwork(value: string, around: Surroundings): Network {
  if (value === 'host' || value === 'none') return { kind: value }
  const annotated = parseAnnotatedNetwork(value)
  if (annotated !== undefined) return annotated
  if (!value.startsWith('ns:')) {
    throw refusal(
      `there is no network "${value}"`,
      'use host, none, pasta, slirp4netns, container:ID, or ns:PATH for one that CNI or "ip netns add" has made',
    )
  }
  const path = around.absolutePath(value.slice('ns:'.length))
  if (around.look(path) === undefined) throw refusal(`there is no "${path}" on this host`)
  return { kind: 'path', path }
}

const nameOf = (network: AnnotatedNetwork): string =>
  network.kind === 'program' ? network.program : `container:${network.id}`

function withAnnotatedNetwork(config: RuntimeConfig, chosen: Network): RuntimeConfig {
  const { network, publish, dns, dnsSearch, dnsOption } = networkAnnotations
  const gone: readonly string[] = [network, publish, dns, dnsSearch, dnsOption]
  const kept = Object.entries(config.annotations ?? {}).filter(([name]) => !gone.includes(name))
  const added = chosen.kind === 'program' || chosen.kind === 'container' ? [[network, nameOf(chosen)] as const] : []
  if (config.annotations === undefined && added.length === 0) return config
  return { ...config, annotations: Object.fromEntries([...kept, ...added]) }
}

/** A flag whose values are kept as an annotation: a value with the key of an earlier one takes its place. */
function annotatedFlag(
  name: NetworkList,
  words: FlagText,
  how: {
    readonly parse: (value: string, around: Surroundings) => string
    readonly check?: (config: RuntimeConfig) => void
    readonly keyOf?: (entry: string) => string
  },
): ListFlag {
  const { parse, check = () => {}, keyOf = (entry) => entry } = how
  return list(words, {
    parse,
    apply: (config, entries) => {
      check(config)
      const merged = new Map([...annotatedList(config, name), ...entries].map((entry) => [keyOf(entry), entry]))
      const annotations = { ...config.annotations, [networkAnnotations[name]]: JSON.stringify([...merged.values()]) }
      return withOwnNames({ ...config, annotations })
    },
    show: (config) => annotatedList(config, name),
  })
}

export const publish: ListFlag = annotatedFlag(
  'publish',
  {
    letter: 'p',
    placeholder: '[ip:][port:]port',
    help: 'a port of the host that leads to one of the container; needs pasta or slirp4netns',
  },
  {
    parse: (value, around) => formatPublishedPorts(withHostPort(parsePorts(value), around)),
    check: (config) => {
      if (annotatedNetwork(config)?.kind === 'program') return
      throw refusal('only a network of its own has ports to publish', `use --network ${networkPrograms.join(' or ')}`)
    },
    keyOf: (entry) => entry.replace(/:[^:]*\//, '/'),
  },
)

function parsePorts(value: string): PublishedPorts {
  const ports = parsePublishedPorts(value)
  if (typeof ports === 'string') throw refusal(ports)
  if (ports.address !== undefined && isIP(ports.address) === 0) throw refusal(`"${ports.address}" is no IP address`)
  return ports
}

function withHostPort(ports: PublishedPorts, around: Surroundings): PublishedPorts {
  return ports.hostPort === undefined ? { ...ports, hostPort: around.freePort(ports.protocol) } : ports
}

export const dns: ListFlag = annotatedFlag(
  'dns',
  { placeholder: 'ip', help: "a server that is asked for names, in the place of the host's" },
  {
    parse: (value) => {
      if (isIP(value) !== 0) return value
      throw refusal('it must be an IP address')
    },
  },
)

export const dnsSearch: ListFlag = annotatedFlag(
  'dnsSearch',
  { placeholder: 'domain', help: 'a domain in which names are looked for; "." for none' },
  { parse: oneWord },
)

export const dnsOption: ListFlag = annotatedFlag(
  'dnsOption',
  { placeholder: 'option', help: 'an option of resolv.conf, as "ndots:2"' },
  { parse: oneWord },
)

function oneWord(value: string): string {
  if (/^[\x21-\x7e]+$/.test(value)) return value
  throw refusal('it must be one word')
}

export const addHost: ListFlag = annotatedFlag(
  'addHost',
  { placeholder: 'name:ip', help: 'a line of /etc/hosts; the address may be "host-gateway", for the host' },
  {
    parse: (value, around) => {
      const [, name = '', given = ''] = /^([\w.-]+)[:=](.+)$/.exec(value) ?? []
      if (name === '') throw refusal('it must be NAME:IP')
      const address = given === 'host-gateway' ? addressOfHost(around) : given.replace(/^\[(.*)\]$/, '$1')
      if (isIP(address) === 0) throw refusal(`"${address}" is no IP address`)
      return `${name}:${address}`
    },
  },
)

function addressOfHost({ hostAddress }: Surroundings): string {
  const address = hostAddress()
  if (address !== undefined) return address
  throw refusal('this host has no address that a container could reach: it has no default route')
}
