import { BlockList, isIP } from 'node:net'
import { domainToASCII } from 'node:url'

/**
 * Parses NO_PROXY: names, addresses and networks (`10.0.0.0/8`, `fd00::/8`), separated by commas or blanks. A name
 * includes its subdomains, and may be written `.NAME` or `*.NAME`. A name or an address may have a port. `*` matches
 * every host. Names are not resolved: a network matches only hosts that are written as addresses.
 * @returns a function that returns true for a URL to be reached without a proxy
 */
export function parseExceptions(text: string): (url: URL) => boolean {
  const entries = text
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map(parseEntry)
  return ({ protocol, hostname, port }) => {
    const host = { name: withoutBrackets(hostname), port: port === '' ? defaultPorts[protocol] : Number(port) }
    return entries.some((entry) => entry(host))
  }
}

const defaultPorts: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 }

interface Host {
  readonly name: string
  readonly port: number | undefined
}

type Entry = (host: Host) => boolean

function parseEntry(entry: string): Entry {
  if (entry === '*') return () => true
  const [, address = '', bits = ''] = /^(.+)\/(\d+)$/.exec(entry) ?? []
  if (isIP(address) !== 0 && Number(bits) <= bitsOf(address)) {
    const network = new BlockList()
    network.addSubnet(address, Number(bits), familyOf(address))
    return ({ name }) => isIP(name) !== 0 && network.check(name, familyOf(name))
  }
  const { text, port } = splitPort(entry)
  const isNamed = isIP(text) === 0 ? domain(text) : sameAddress(text)
  return (host) => (port === undefined || port === host.port) && isNamed(host.name)
}

/** Splits `[ADDRESS]:PORT` or `NAME:PORT`; an IPv6 address without brackets has no port. */
function splitPort(entry: string): { readonly text: string; readonly port?: number } {
  const [, text = '', port = ''] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? []
  return text === '' ? { text: withoutBrackets(entry) } : { text: withoutBrackets(text), port: Number(port) }
}

function sameAddress(address: string): (name: string) => boolean {
  const one = new BlockList()
  one.addAddress(address, familyOf(address))
  return (name) => isIP(name) !== 0 && one.check(name, familyOf(name))
}

function domain(text: string): (name: string) => boolean {
  const domain = domainToASCII(text.replace(/^\*?\./, ''))
  return (name) => domain !== '' && (name === domain || name.endsWith(`.${domain}`))
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4')
const bitsOf = (address: string): number => (isIP(address) === 6 ? 128 : 32)
const withoutBrackets = (text: string): string => text.replace(/^\[(.*)\]$/, '$1')
