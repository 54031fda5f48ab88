import type { SharedProcess } from '../compile/context.ts'
import { absoluteSource } from '../compile/mount/bind.ts'
import { OciError } from '../errors.ts'
import type { Door } from '../host/door.ts'
import { annotatedNetwork, networkPointer } from '../oci/network-annotations.ts'
import type { Linux, Mount, Namespace, RuntimeConfig } from '../oci/runtime-config.ts'
import { readConfig } from './load-bundle.ts'
import { isAlive } from './proc.ts'
import { type ContainerRecord, readContainer } from './state-file.ts'

interface Place {
  readonly root: string
  readonly door: Door
  readonly isRoot: boolean
}

interface Shared {
  readonly config: RuntimeConfig
  /** Undefined where no namespace of a process is joined. */
  readonly shared?: SharedProcess | undefined
}

/**
 * The config of a container which joins the network of another one, with its files of names: the annotation in the words
 * of config.json. Without root it joins the user namespace too, to which the other one belongs.
 *
 * @throws OciError `ERR_CONTAINER_NOT_FOUND`, `ERR_CONTAINER_STATUS` the other one is not there, or has ended
 */
export function withSharedNetwork(config: RuntimeConfig, place: Place): Shared {
  const network = annotatedNetwork(config)
  if (network?.kind !== 'container') return { config }
  const other = findContainer(network.id, place)
  const types = ['network', ...(place.isRoot ? [] : ['user'])].filter((type) =>
    other.namespaces.some((one) => one === type),
  )
  const joined = joinNamespaces(config.linux ?? {}, types, other.init.pid)
  const mounts = [...(config.mounts ?? []), ...missingNames(config, other, place.door)]
  const deniesSetgroups =
    types.includes('user') && place.door.readIfThere(`/proc/${other.init.pid}/setgroups`) === 'deny\n'
  const shared = types.length === 0 ? undefined : { ...other.init, deniesSetgroups }
  return { config: { ...config, linux: joined, mounts }, shared }
}

function findContainer(id: string, { root, door }: Place): ContainerRecord {
  const about = { pointer: networkPointer, hint: 'start it first, or choose another network with "config --network"' }
  try {
    const container = readContainer(root, id, door)
    if (isAlive(container.init)) return container
  } catch (cause) {
    if (!(cause instanceof OciError) || cause.code !== 'ERR_CONTAINER_NOT_FOUND') throw cause
    throw new OciError(cause.code, `the container "${id}", whose network is to be joined, does not exist`, {
      ...about,
      cause,
    })
  }
  throw new OciError('ERR_CONTAINER_STATUS', `the container "${id}", whose network is to be joined, has ended`, about)
}

/** The network namespace goes where the other container has none of its own: that is then the host's. */
function joinNamespaces(linux: Linux, types: readonly string[], pid: number): Linux {
  const { uidMappings, gidMappings, ...others } = linux
  const kept = (linux.namespaces ?? []).filter(({ type }) => type !== 'network' && !types.includes(type))
  const files = { network: 'net', user: 'user' } as const
  const added = (['network', 'user'] as const).filter((type) => types.includes(type))
  const namespaces: readonly Namespace[] = [
    ...kept,
    ...added.map((type) => ({ type, path: `/proc/${pid}/ns/${files[type]}` })),
  ]
  return types.includes('user') ? { ...others, namespaces } : { ...linux, namespaces }
}

const nameFiles: readonly string[] = ['/etc/resolv.conf', '/etc/hosts']

function missingNames(config: RuntimeConfig, other: ContainerRecord, door: Door): readonly Mount[] {
  const mounts = readConfig(other.bundle, { door }).mounts ?? []
  return mounts
    .filter(({ destination }) => nameFiles.includes(destination))
    .filter(({ destination }) => !config.mounts?.some((own) => own.destination === destination))
    .map((mount) => ({ ...mount, source: absoluteSource(mount.source, other.bundle, networkPointer) }))
}
