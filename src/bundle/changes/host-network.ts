import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { isSystemError } from '../../errors.ts'

/** The ports that IANA leaves to everybody. */
const [firstFree, behindFree] = [49_152, 65_536]

/** A port that anybody may take and on which nobody listens now, chosen at random. */
export function freePort(protocol: 'tcp' | 'udp'): number {
  const taken = new Set([...portsOf(`/proc/net/${protocol}`), ...portsOf(`/proc/net/${protocol}6`)])
  const offset = randomInt(behindFree - firstFree)
  const ports = Array.from({ length: behindFree - firstFree }, (_, index) => index)
    .map((index) => firstFree + ((offset + index) % (behindFree - firstFree)))
    .filter((port) => !taken.has(port))
  return ports[0] ?? firstFree
}

/** @see man 5 proc "/proc/net/tcp" */
function portsOf(path: string): readonly number[] {
  return linesOf(path).map((line) => Number.parseInt(/^\s*\d+: [\dA-F]+:([\dA-F]{4})/.exec(line)?.[1] ?? '0', 16))
}

/** The IPv4 address of the interface with the default route; undefined where there is none. */
export function hostAddress(): string | undefined {
  const [name = ''] =
    linesOf('/proc/net/route')
      .map((line) => line.split('\t'))
      .find(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000') ?? []
  return networkInterfaces()[name]?.find(({ family }) => family === 'IPv4')?.address
}

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return [] // a kernel without IPv6
    throw error
  }
}
