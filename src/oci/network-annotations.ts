import { OciError } from '../errors.ts'
import { parseLimitedJsonIfAny } from './json-limits.ts'
import type { RuntimeConfig } from './runtime-config.ts'
import { toPointer } from './schema.ts'

/**
 * The annotations of config.json that say how a container gets its network. Other runtimes pass over them, and labels of
 * images never become them. All but `network` are JSON arrays of strings.
 */
export const networkAnnotations = {
  network: 'bundle-tool.network',
  publish: 'bundle-tool.publish',
  dns: 'bundle-tool.dns',
  dnsSearch: 'bundle-tool.dns-search',
  dnsOption: 'bundle-tool.dns-option',
  addHost: 'bundle-tool.add-host',
} as const

export type NetworkList = Exclude<keyof typeof networkAnnotations, 'network'>

/** The programs that are the way to the network of a container without a right on the host. */
export const networkPrograms = ['pasta', 'slirp4netns'] as const
export type NetworkProgram = (typeof networkPrograms)[number]

/** The addresses in such a network, which are the same everywhere: those of slirp4netns. */
export const userNetwork = { address: '10.0.2.100', prefix: '24', gateway: '10.0.2.2', dns: '10.0.2.3' } as const

/** A container's network by its annotation, where its network namespace alone does not say it. */
export type AnnotatedNetwork =
  | { readonly kind: 'program'; readonly program: NetworkProgram }
  | { readonly kind: 'container'; readonly id: string }

const containerPrefix = 'container:'
export const networkPointer: string = toPointer(['annotations', networkAnnotations.network])

/** @throws OciError `ERR_CONFIG_INVALID` there is no such network, or the container's network namespace is not a new one */
export function annotatedNetwork(config: RuntimeConfig): AnnotatedNetwork | undefined {
  const value = config.annotations?.[networkAnnotations.network]
  if (value === undefined) return undefined
  const network = parseAnnotatedNetwork(value)
  if (network === undefined) {
    throw invalid(`there is no network "${value}"`, `use ${networkPrograms.join(', ')} or container:ID`)
  }
  const own = config.linux?.namespaces?.find(({ type }) => type === 'network')
  if (own !== undefined && !own.path) return network
  throw invalid(
    `the network "${value}" needs a network namespace of its own`,
    own === undefined ? 'add {"type": "network"} to linux.namespaces' : 'remove the path of the network namespace',
  )
}

/**
 * Refuses what cannot be done with a container whose network is a program outside of it.
 *
 * @param doing e.g. `checkpoint`
 * @throws OciError `ERR_NOT_SUPPORTED`
 */
export function refuseNetworkProgram(annotations: RuntimeConfig['annotations'], doing: string): void {
  const value = annotations?.[networkAnnotations.network] ?? ''
  const network = parseAnnotatedNetwork(value)
  if (network?.kind !== 'program') return
  throw new OciError('ERR_NOT_SUPPORTED', `cannot ${doing} a container with the network "${value}"`, {
    pointer: networkPointer,
    hint: 'its connections are those of a program that CRIU does not see: use --network host or none',
  })
}

/** Reads the value of the annotation; undefined for one that means nothing. */
export function parseAnnotatedNetwork(value: string): AnnotatedNetwork | undefined {
  const program = networkPrograms.find((name) => name === value)
  if (program !== undefined) return { kind: 'program', program }
  const id = value.startsWith(containerPrefix) ? value.slice(containerPrefix.length) : ''
  return /^[\w+.-]+$/.test(id) ? { kind: 'container', id } : undefined
}

/** The strings of an annotation; none where there is no such annotation. @throws OciError `ERR_CONFIG_INVALID` */
export function annotatedList({ annotations }: RuntimeConfig, name: NetworkList): readonly string[] {
  const annotation = networkAnnotations[name]
  const value = annotations?.[annotation]
  if (value === undefined) return []
  const list = parseLimitedJsonIfAny(value)
  if (Array.isArray(list) && list.every((item) => typeof item === 'string')) return list
  throw new OciError('ERR_CONFIG_INVALID', `the annotation "${annotation}" must be a JSON array of strings`, {
    pointer: toPointer(['annotations', annotation]),
  })
}

const invalid = (message: string, hint: string): OciError =>
  new OciError('ERR_CONFIG_INVALID', message, { pointer: networkPointer, hint })
