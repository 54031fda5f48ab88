import { OciError } from '../errors.ts'

/** The most CPUs that Linux can be built for (CONFIG_NR_CPUS); it can have fewer memory nodes. */
const maxNumber = 8191

/**
 * Parses a list such as `0-2,5` into 0, 1, 2, 5.
 *
 * @param what names the numbers in the error
 * @param max  the largest number that is allowed; by default the largest for a CPU
 * @throws OciError `ERR_CONFIG_INVALID` a part is not a number or range, or too large
 */
export function parseNumberList(
  text: string,
  pointer: string,
  what: string,
  max: number = maxNumber,
): readonly number[] {
  if (text === '') return []
  return text.split(',').flatMap((part) => {
    const range = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part)
    const first = Number(range?.[1])
    const last = Number(range?.[2] ?? first)
    if (!range || last > max || last < first) {
      throw new OciError('ERR_CONFIG_INVALID', `invalid ${what} "${part}"`, { pointer })
    }
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

/** Builds a mask of `count` bits, the least significant first, in which the bits `numbers` are set. */
export function maskOf(numbers: readonly number[], count: number): Uint8Array {
  const mask = new Uint8Array(Math.ceil(count / 8))
  for (const number of numbers) mask[number >> 3] = (mask[number >> 3] ?? 0) | (1 << (number & 7))
  return mask
}
