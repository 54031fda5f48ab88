/** Ports of a container that are ports of the host too: `count` ports from each of the two on. */
export interface PublishedPorts {
  /** The address of the host, without brackets; undefined for all. */
  readonly address: string | undefined
  /** Undefined where any free one will do. */
  readonly hostPort: number | undefined
  readonly port: number
  readonly count: number
  readonly protocol: 'tcp' | 'udp'
}

const form = /^(?:(?:\[([^\]]*)\]|([^:]*)):)?(?:([\d-]*):)?([\d-]+)(?:\/(tcp|udp))?$/

/**
 * Reads `[IP:][HOSTPORT:]PORT[/tcp|udp]`, in which ports may be ranges and an IPv6 address stands in brackets.
 *
 * @returns what is wrong with it, where it is not that
 */
export function parsePublishedPorts(text: string): PublishedPorts | string {
  const [, long, first, second, inside = '', protocol = 'tcp'] = form.exec(text) ?? []
  // "8080:80": one colon is between two ports.
  const isPort = long === undefined && second === undefined && first !== undefined && /^[\d-]+$/.test(first)
  const address = isPort ? undefined : (long ?? first)
  const own = parseRange(inside)
  const hostText = isPort ? first : second
  const host = hostText === undefined || hostText === '' ? undefined : parseRange(hostText)
  if (own === undefined || (hostText && host === undefined)) return 'it must be [IP:][HOSTPORT:]PORT[/tcp|udp]'
  if (address !== undefined && !(long === undefined ? isIPv4(address) : looksLikeIPv6(address))) {
    return `"${address}" is no IP address, which for IPv6 stands in brackets`
  }
  if (host !== undefined && host.count !== own.count) return 'the two ranges of ports differ in length'
  if (host === undefined && own.count > 1) return 'a range needs ports of the host too'
  const count = own.count
  return { address, hostPort: host?.first, port: own.first, count, protocol: protocol === 'udp' ? 'udp' : 'tcp' }
}

const isIPv4 = (text: string): boolean =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => Number(part) < 256)

const looksLikeIPv6 = (text: string): boolean => /^[\da-f:]*:[\da-f:.]*$/i.test(text)

/** Writes it as `parsePublishedPorts` reads it, with the protocol. */
export function formatPublishedPorts({ address, hostPort, port, count, protocol }: PublishedPorts): string {
  const range = (first: number): string => (count === 1 ? String(first) : `${first}-${first + count - 1}`)
  const host = address === undefined ? '' : `${address.includes(':') ? `[${address}]` : address}:`
  return `${host}${hostPort === undefined ? '' : `${range(hostPort)}:`}${range(port)}/${protocol}`
}

function parseRange(text: string): { readonly first: number; readonly count: number } | undefined {
  const [, start = '', end = start] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? []
  const [first, last] = [Number(start), Number(end)]
  return start !== '' && first > 0 && last >= first && last < 65_536 ? { first, count: last - first + 1 } : undefined
}
