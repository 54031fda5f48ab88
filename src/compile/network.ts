import { OciError } from '../errors.ts'
import {
  annotatedList,
  annotatedNetwork,
  type NetworkProgram,
  networkAnnotations,
  networkPointer,
  parseAnnotatedNetwork,
  userNetwork,
} from '../oci/network-annotations.ts'
import { type PublishedPorts, parsePublishedPorts } from '../oci/port.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { toPointer } from '../oci/schema.ts'
import { keeperFile } from '../program/contract.ts'
import { openFlags } from '../program/flags.ts'
import { type HostStep, op, undoable } from '../program/program.ts'
import type { CompileContext } from './context.ts'
import { isAdministrator } from './facts.ts'
import { stateFile } from './state/files.ts'

/**
 * A file that is everywhere, that everybody may open and that none of these programs reads: the network namespace is mounted
 * on it, where nobody else sees that. By its place in /proc/PID/ns, a program that has given up its rights could not open it.
 */
const place = '/proc/version'
const apiSocket = 'slirp4netns.sock'
const interfaceName = 'eth0'
const publishPointer = toPointer(['annotations', networkAnnotations.publish])
/** Each is a step of the program. */
const maxSlirpPorts = 256

/** The way to the network that a program is for this container; undefined for every other network. */
export function networkProgramOf(config: RuntimeConfig): NetworkProgram | undefined {
  // The namespace of another container has been put in the place of its own.
  if (parseAnnotatedNetwork(config.annotations?.[networkAnnotations.network] ?? '')?.kind === 'container')
    return undefined
  const network = annotatedNetwork(config)
  return network?.kind === 'program' ? network.program : undefined
}

/** Root of the host stays it, so that it may publish ports below 1024; without root only the user namespace gives the right. */
const entersUser = ({ hasUserNamespace, facts }: CompileContext): boolean => hasUserNamespace && !isAdministrator(facts)

/** Host steps that open the namespaces of the container's process, before it closes itself to the caller. */
export function openForNetworkProgram(context: CompileContext): readonly HostStep[] {
  if (networkProgramOf(context.config) === undefined) return []
  const open = (to: string, file: string): HostStep =>
    undoable(op('open', { to, at: 'proc', path: [{ register: 'pid' }, file], flags: openFlags.RDONLY }, networkPointer))
  return [open('container_network', '/ns/net'), ...(entersUser(context) ? [open('container_user', '/ns/user')] : [])]
}

/**
 * Host steps, while the container's process waits with its mounts made, that start the program which is its way to the
 * network, and let it publish ports. The program ends with the container.
 *
 * @throws OciError `ERR_NOT_SUPPORTED` it is not installed; `ERR_CONFIG_INVALID`
 */
export function compileNetworkProgram(context: CompileContext): readonly HostStep[] {
  const name = networkProgramOf(context.config)
  if (name === undefined) return []
  const path = context.facts.networkProgram(name)
  if (path === undefined) throw notInstalled(name)
  const ports = publishedPorts(context.config)
  const { ready, argv } = name === 'pasta' ? pasta(path, ports) : slirp4netns(path, ports)
  const directory = stateFile(context)
  const { PATH, DIRECTORY } = openFlags
  return [
    undoable(op('open', { to: 'caller_directory', at: null, path: '.', flags: PATH }, networkPointer)),
    undoable(op('open', { to: 'state_directory', at: null, path: directory, flags: PATH | DIRECTORY }, networkPointer)),
    // The address of a socket has room only for a short path.
    undoable(op('fchdir', { slot: 'state_directory' }, networkPointer)),
    undoable(
      op(
        'accompany',
        {
          argv,
          network: 'container_network',
          user: entersUser(context) ? 'container_user' : null,
          at: place,
          ready,
          record: keeperFile,
        },
        networkPointer,
      ),
      // The kernel takes some 20 ms to remove an interface. Only for ports, which must be free then, is that waited for.
      op('end_recorded', { path: stateFile(context, keeperFile), wait: ports.length > 0 ? 1 : 0 }, networkPointer),
    ),
    undoable(op('fchdir', { slot: 'caller_directory' }, networkPointer)),
    ...(name === 'slirp4netns' ? ports.flatMap(askForPorts) : []),
  ]
}

/** Host steps behind those that open namespaces by a pid, which fail if it has become another process's. */
export function compileSharedNetwork({ shared }: CompileContext): readonly HostStep[] {
  if (shared === undefined) return []
  const { PATH, DIRECTORY } = openFlags
  return [
    op(
      'open',
      { to: 'shared_process', at: null, path: `/proc/${shared.pid}`, flags: PATH | DIRECTORY },
      networkPointer,
    ),
    op('expect_process', { process: 'shared_process', startTime: shared.startTime }, networkPointer),
  ].map((step) => undoable(step))
}

function notInstalled(name: NetworkProgram): OciError {
  const [debianPackage, other] = name === 'pasta' ? ['passt', 'slirp4netns'] : ['slirp4netns', 'pasta']
  return new OciError('ERR_NOT_SUPPORTED', `the network "${name}" needs the program ${name}, which is not installed`, {
    pointer: networkPointer,
    hint: `install the package ${debianPackage}, or use --network ${other} or host`,
  })
}

/** @throws OciError `ERR_CONFIG_INVALID` */
function publishedPorts(config: RuntimeConfig): readonly PublishedPorts[] {
  return annotatedList(config, 'publish').map((text) => {
    const ports = parsePublishedPorts(text)
    if (typeof ports !== 'string' && ports.hostPort !== undefined) return ports
    const problem = typeof ports === 'string' ? ports : 'it names no port of the host'
    throw new OciError('ERR_CONFIG_INVALID', `the port "${text}" cannot be published: ${problem}`, {
      pointer: publishPointer,
    })
  })
}

interface Command {
  readonly argv: readonly string[]
  /** The descriptor to which the program writes when it is ready. */
  readonly ready: number
}

/** The host's loopback addresses are out of reach, and ports of the container are the host's only if they are published. */
function pasta(path: string, ports: readonly PublishedPorts[]): Command {
  const specs = (protocol: PublishedPorts['protocol']): readonly string[] => {
    const own = ports.filter((one) => one.protocol === protocol).map(pastaPorts)
    return (own.length === 0 ? ['none'] : own).flatMap((spec) => [`--${protocol}-ports`, spec])
  }
  const { address, prefix, gateway, dns } = userNetwork
  const argv = [
    ...[path, '--foreground', '--quiet', '--config-net', '--netns', place, '--no-netns-quit', '--runas', '0:0'],
    ...['--address', address, '--netmask', prefix, '--gateway', gateway, '--dns-forward', dns],
    ...['--ns-ifname', interfaceName, '--no-map-gw', ...specs('tcp'), ...specs('udp')],
    ...['--tcp-ns', 'none', '--udp-ns', 'none', '--pid', '/dev/stdout'],
  ]
  return { argv, ready: 1 }
}

function pastaPorts({ address, hostPort = 0, port, count }: PublishedPorts): string {
  const range = (first: number): string => (count === 1 ? String(first) : `${first}-${first + count - 1}`)
  return `${address === undefined ? '' : `${address}/`}${range(hostPort)}:${range(port)}`
}

function slirp4netns(path: string, ports: readonly PublishedPorts[]): Command {
  const total = ports.reduce((sum, { count }) => sum + count, 0)
  const long = ports.find(({ address }) => address?.includes(':'))
  if (long !== undefined) throw unpublishable(`at the IPv6 address "${long.address}"`)
  if (total > maxSlirpPorts) throw unpublishable(`more than ${maxSlirpPorts} in number`)
  const argv = [
    ...[path, '--configure', '--mtu=65520', '--disable-host-loopback', '--enable-sandbox', '--enable-seccomp'],
    ...['--enable-ipv6', '--netns-type=path', '--ready-fd=3'],
    ...(ports.length > 0 ? [`--api-socket=${apiSocket}`] : []),
    ...[place, interfaceName],
  ]
  return { argv, ready: 3 }
}

const unpublishable = (what: string): OciError =>
  new OciError('ERR_CONFIG_UNSUPPORTED', `slirp4netns cannot publish ports ${what}`, {
    pointer: publishPointer,
    hint: 'use --network pasta',
  })

/** @see slirp4netns(1) "API SOCKET" */
function askForPorts({
  address = '0.0.0.0',
  hostPort = 0,
  port,
  count,
  protocol,
}: PublishedPorts): readonly HostStep[] {
  return Array.from({ length: count }, (_, index) => {
    const forward = { proto: protocol, host_addr: address, host_port: hostPort + index, guest_port: port + index }
    const request = JSON.stringify({ execute: 'add_hostfwd', arguments: forward })
    return undoable(op('ask', { at: 'state_directory', path: apiSocket, request, answer: '{"return"' }, publishPointer))
  })
}
