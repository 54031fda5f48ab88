/** A route of the main table for IPv4. The first byte of an address is the lowest of its number. */
export interface IPv4Route {
  readonly interfaceName: string
  readonly destination: number
  readonly mask: number
}

/** Parses the routes of the kernel. @see man 5 proc_pid_net "/proc/net/route" */
export function parseIPv4Routes(text: string): readonly IPv4Route[] {
  const [, ...lines] = text.trimEnd().split('\n')
  return lines.map((line) => {
    const [interfaceName = '', destination = '', , , , , , mask = ''] = line.split('\t')
    return { interfaceName, destination: Number.parseInt(destination, 16), mask: Number.parseInt(mask, 16) }
  })
}

/** True for a route to every address that no other route is for. */
export const isDefaultRoute = ({ destination, mask }: IPv4Route): boolean => destination === 0 && mask === 0
