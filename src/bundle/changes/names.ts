import { annotatedList, annotatedNetwork, type NetworkList, userNetwork } from '../../oci/network-annotations.ts'
import type { Mount, RuntimeConfig } from '../../oci/runtime-config.ts'
import type { ConfigChanges } from './config-changes.ts'
import { isSame } from './merge-document.ts'
import type { Surroundings } from './outside.ts'

/** A file by which names are found: its place, the bundle's own beside config.json, and the flags that need that one. */
interface NameFile {
  readonly path: string
  readonly own: string
  readonly lists: readonly NetworkList[]
  readonly write: (config: RuntimeConfig, around: Surroundings) => string
}

const nameFiles: readonly NameFile[] = [
  {
    path: '/etc/resolv.conf',
    own: 'etc/resolv.conf',
    lists: ['dns', 'dnsSearch', 'dnsOption'],
    write: resolvConf,
  },
  { path: '/etc/hosts', own: 'etc/hosts', lists: ['addHost'], write: hosts },
]

const mountOfHost = ({ path }: NameFile): Mount => ({
  destination: path,
  type: 'bind',
  source: path,
  options: ['rbind', 'rprivate', 'ro'],
})

/** Relative to the bundle, which may be moved; the container's own, which may change it as the rest of its files. */
const mountOfBundle = ({ path, own }: NameFile): Mount => ({
  destination: path,
  type: 'bind',
  source: own,
  options: ['rbind', 'rprivate'],
})

/** A config for several containers, of which none may change the files of the others. */
export function withSharedNames(config: RuntimeConfig): RuntimeConfig {
  const mounts = config.mounts?.map((mount) =>
    isOwn(mount) ? { ...mount, options: [...(mount.options ?? []), 'ro'] } : mount,
  )
  return mounts === undefined ? config : { ...config, mounts }
}

const isOwn = (mount: Mount): boolean => nameFiles.some((file) => isSame(mount, mountOfBundle(file)))
const isOfHost = (mount: Mount): boolean => nameFiles.some((file) => isSame(mount, mountOfHost(file)))

/** True for a mount that the container's network, or a flag of its, has brought along. */
export const comesWithNetwork = (config: RuntimeConfig, mount: Mount): boolean =>
  isOwn(mount) || (isOfHost(mount) && hasNamesOfHost(config))

const isNameMount = (mount: Mount): boolean => isOwn(mount) || isOfHost(mount)

/** True for a container with the names of the host, unless its network is one of its own without a path. */
export const hasNamesOfHost = ({ mounts = [], linux }: RuntimeConfig): boolean =>
  linux?.namespaces?.some(({ type, path }) => type === 'network' && !path) !== true && mounts.some(isOfHost)

/** A config without the files that an earlier network has brought along; what else is mounted at their places stays. */
export function withoutNames(config: RuntimeConfig): RuntimeConfig {
  if (config.mounts === undefined) return config
  return { ...config, mounts: config.mounts.filter((mount) => !isNameMount(mount)) }
}

/** A config whose network is the host's, if it is, with the names of the host: that of an image without root. */
export const withNamesOfOwnNetwork = (config: RuntimeConfig, look: Surroundings['look']): RuntimeConfig =>
  config.linux?.namespaces?.some(({ type }) => type === 'network') ? config : withNamesOfHost(config, look)

/** A config whose programs find names as the host's do, where nothing else is mounted. */
export function withNamesOfHost(config: RuntimeConfig, look: Surroundings['look']): RuntimeConfig {
  const files = nameFiles.filter((file) => look(file.path) !== undefined && isFree(config, file))
  return { ...config, mounts: [...(config.mounts ?? []), ...files.map(mountOfHost)] }
}

const isFree = ({ mounts = [] }: RuntimeConfig, { path }: NameFile): boolean =>
  mounts.every(({ destination }) => destination !== path)

/** A config with the files of its own that its network and its flags need. */
export function withOwnNames(config: RuntimeConfig): RuntimeConfig {
  const needed = nameFiles.filter((file) => needsOwn(config, file))
  const others = (config.mounts ?? []).filter(
    (mount) => !(isNameMount(mount) && needed.some(({ path }) => path === mount.destination)),
  )
  const free = needed.filter((file) => isFree({ ...config, mounts: others }, file))
  return needed.length === 0 ? config : { ...config, mounts: [...others, ...free.map(mountOfBundle)] }
}

const needsOwn = (config: RuntimeConfig, { lists }: NameFile): boolean =>
  hasProgram(config) || lists.some((name) => annotatedList(config, name).length > 0)

const hasProgram = (config: RuntimeConfig): boolean => annotatedNetwork(config)?.kind === 'program'

/** A file that belongs beside config.json. */
export interface BundleFile {
  /** Relative to the bundle. */
  readonly path: string
  readonly content: string
}

/** The bundle's own files that a config mounts, by which its programs find names. */
export const nameFilesOf = (config: RuntimeConfig, around: Surroundings): readonly BundleFile[] =>
  nameFiles
    .filter((file) => config.mounts?.some((mount) => isSame(mount, mountOfBundle(file))))
    .map(({ own, write }) => ({ path: own, content: write(config, around) }))

const properties = ['network', 'dns', 'dnsSearch', 'dnsOption', 'addHost', 'hostname'] as const

/** True for changes after which these files are written anew. */
export const changesNames = (changes: ConfigChanges): boolean => properties.some((name) => changes[name] !== undefined)

/** @see man 5 resolv.conf */
function resolvConf(config: RuntimeConfig, around: Surroundings): string {
  const [host = ''] = around.look('/etc/resolv.conf') === undefined ? [] : [around.readText('/etc/resolv.conf')]
  const given = (name: NetworkList): readonly string[] => annotatedList(config, name)
  const ofHost = (...keywords: readonly string[]): readonly string[] =>
    host.split('\n').flatMap((line) => {
      const [keyword = '', ...values] = line.trim().split(/\s+/)
      return keywords.includes(keyword) ? values : []
    })
  const or = (own: readonly string[], other: readonly string[]): readonly string[] => (own.length > 0 ? own : other)
  const servers = or(given('dns'), hasProgram(config) ? [userNetwork.dns] : ofHost('nameserver'))
  const search = or(given('dnsSearch'), ofHost('search', 'domain')).filter((domain) => domain !== '.')
  const options = or(given('dnsOption'), ofHost('options'))
  return [
    ...servers.map((server) => `nameserver ${server}\n`),
    ...(search.length > 0 ? [`search ${search.join(' ')}\n`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}\n`] : []),
  ].join('')
}

/** @see man 5 hosts */
function hosts(config: RuntimeConfig, around: Surroundings): string {
  const isOfHostNetwork = config.linux?.namespaces?.some(({ type, path }) => type === 'network' && !path) !== true
  const added = annotatedList(config, 'addHost').map((entry) => {
    const at = entry.indexOf(':')
    return `${entry.slice(at + 1)}\t${entry.slice(0, at)}\n`
  })
  const host = isOfHostNetwork && around.look('/etc/hosts') !== undefined ? around.readText('/etc/hosts') : undefined
  const local = '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n'
  const own = hasProgram(config) && config.hostname ? `${userNetwork.address}\t${config.hostname}\n` : ''
  const base = host === undefined ? `${local}${own}` : host.endsWith('\n') || host === '' ? host : `${host}\n`
  return `${base}${added.join('')}`
}
