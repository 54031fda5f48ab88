import { BlockList, isIP } from 'node:net'
import { domainToASCII } from 'node:url'

/**
 * Reads NO_PROXY: a list, separated by commas or blanks, of names (each with all that is below it, also written `.NAME` or
 * `*.NAME`), addresses and networks (`10.0.0.0/8`, `fd00::/8`), each but networks with a port or without; `*` is everything.
 * Names are not looked up: a network has the hosts in it that are written as addresses.
 *
 * @returns whether a URL is to be reached without a proxy
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

/** `[ADDRESS]:PORT`, `NAME:PORT`; an address of IPv6 without brackets has no port. */
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
