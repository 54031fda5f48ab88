/** The version of the IP address that a text is, 4 or 6, or 0 if it is none: `isIP` of node:net. */
export function isIP(text: string): 0 | 4 | 6 {
  if (isIPv4(text)) return 4
  return isIPv6(text) ? 6 : 0
}

const octet = /^(?:0|[1-9][0-9]{0,2})$/
const isIPv4 = (text: string): boolean => {
  const octets = text.split('.')
  return octets.length === 4 && octets.every((part) => octet.test(part) && Number(part) <= 255)
}

/** The address, and the zone of a link-local one behind "%". */
const zoned = /^([^%]*)(?:%[0-9a-zA-Z\-.:]+)?$/

function isIPv6(text: string): boolean {
  const [, address = ''] = zoned.exec(text) ?? []
  const halves = address.split('::')
  if (halves.length > 2) return false
  const sizes = halves.map((half, at) => (half === '' ? 0 : lengthOf(half, at === halves.length - 1)))
  if (sizes.includes(undefined)) return false
  const length = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
  return halves.length === 2 ? length <= 7 : length === 8
}

/** The number of 16-bit groups in one half; undefined if one is malformed. The last may be an address of IPv4. */
function lengthOf(half: string, mayEndAsIPv4: boolean): number | undefined {
  const groups = half.split(':')
  const last = groups.at(-1) ?? ''
  const endsAsIPv4 = mayEndAsIPv4 && isIPv4(last)
  const hexadecimal = endsAsIPv4 ? groups.slice(0, -1) : groups
  if (!hexadecimal.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  return hexadecimal.length + (endsAsIPv4 ? 2 : 0)
}
