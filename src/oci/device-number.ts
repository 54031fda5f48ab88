/** The number of a device as stat(2) has it, from its two parts. @see man 3 makedev */
export function joinDeviceNumber(major: bigint, minor: bigint): bigint {
  return (minor & 0xffn) | ((major & 0xfffn) << 8n) | ((minor & ~0xffn) << 12n) | ((major & ~0xfffn) << 32n)
}

/** The two parts of the number of a device. @see man 3 major */
export function splitDeviceNumber(number: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n)),
    minor: Number((number & 0xffn) | ((number >> 12n) & 0xffffff00n)),
  }
}
