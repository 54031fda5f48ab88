import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isSystemError } from '../../errors.ts'
import { type IPv4Route, isDefaultRoute, parseIPv4Routes } from '../../oci/ipv4-route.ts'

/** The ports that IANA leaves to everybody. */
const [firstFree, behindFree] = [49_152, 65_536]

/** A port that anybody may take and on which nobody listens now, chosen at random. */
export function freePort(protocol: 'tcp' | 'udp'): number {
  const taken = new Set([...portsOf(`/proc/net/${protocol}`), ...portsOf(`/proc/net/${protocol}6`)])
  const [high = 0, low = 0] = randomBytes(2)
  const offset = ((high << 8) | low) % (behindFree - firstFree)
  const ports = Array.from({ length: behindFree - firstFree }, (_, index) => index)
    .map((index) => firstFree + ((offset + index) % (behindFree - firstFree)))
    .filter((port) => !taken.has(port))
  return ports[0] ?? firstFree
}

/** @see man 5 proc "/proc/net/tcp" */
function portsOf(path: string): readonly number[] {
  return linesOf(path).map((line) => Number.parseInt(/^\s*\d+: [\dA-F]+:([\dA-F]{4})/.exec(line)?.[1] ?? '0', 16))
}

/**
 * The IPv4 address of the interface with the default route; undefined where there is none.
 *
 * @see Linux Documentation/networking/fib_trie.rst
 */
export function hostAddress(): string | undefined {
  const routes = parseIPv4Routes(textOf('/proc/net/route'))
  const name = routes.find(isDefaultRoute)?.interfaceName
  if (name === undefined) return undefined
  const networks = routes.filter(({ mask }) => mask !== 0)
  const own = networks.filter(({ interfaceName }) => interfaceName === name)
  const others = networks.filter(({ interfaceName }) => interfaceName !== name)
  const addresses = localAddresses()
  // Clouds give an interface a single address, and a route to the gateway alone.
  return addresses.find((address) => isIn(own, address)) ?? addresses.find((address) => !isIn(others, address))
}

/** Addresses of this host but those of its loopback network. */
function localAddresses(): readonly string[] {
  const trie = linesOf('/proc/net/fib_trie').map((line) => line.trim())
  const local = trie.filter((_, at) => trie[at + 1] === '/32 host LOCAL').map((line) => line.replace('|-- ', ''))
  return local.filter((address) => !address.startsWith('127.'))
}

function isIn(networks: readonly IPv4Route[], address: string): boolean {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number)
  const number = a | (b << 8) | (c << 16) | (d << 24)
  return networks.some(({ destination, mask }) => (number & mask) === (destination & mask))
}

const linesOf = (path: string): readonly string[] => textOf(path).split('\n')

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return '' // a kernel without IPv6
    throw error
  }
}
