import { OciError } from '../../errors.ts'

/** A value for a control file of the container's cgroup in the hierarchy of `controller`. */
export interface Limit {
  readonly controller: string
  readonly file: string
  readonly value: string
  /** Pointers of the fields that the value is made of; errors name the first. */
  readonly from: readonly [string, ...string[]]
  /** True when a missing file is no error, since its absence has the effect of the value. */
  readonly optional?: boolean
}

/** Facts about the host that decide the file and the form of a limit. */
export interface LimitHost {
  /** The cgroup version of a controller, by its name in v1. */
  readonly versionOf: (controller: string) => 1 | 2
  /** True when there is only the unified hierarchy, so that the field `unified` is allowed. */
  readonly isUnified: boolean
  /** True when the host has the I/O scheduler BFQ, whose weights have files of their own. */
  readonly hasBfq: boolean
}

/** A host on which all controllers have the same cgroup version. */
export const hostOf = (version: 1 | 2, hasBfq = false): LimitHost => ({
  versionOf: () => version,
  isUnified: version === 2,
  hasBfq,
})

export const pointerOf = (field: string): string => `/linux/resources/${field}`

/** Converts 0 to undefined, for fields in which runc takes Go's zero value as "not set". */
export function nonZero(value: number | bigint | undefined): number | bigint | undefined {
  return value === undefined || BigInt(value) === 0n ? undefined : value
}

/** -1 as an unsigned number, which Docker writes into `memory.swappiness` for "not set". */
const minusOne = 2n ** 64n - 1n

/** Converts that -1 to undefined. */
export const unlessMinusOne = (value: number | bigint | undefined): number | bigint | undefined =>
  value !== undefined && BigInt(value) === minusOne ? undefined : value

/** Converts a limit to text; a negative one, which means unlimited, to `max`. */
export const orMax = (value: number | bigint): string => (BigInt(value) < 0n ? 'max' : String(value))

/** Collects limits whose value is one field; an absent one adds nothing. */
export function collect(): {
  readonly limits: Limit[]
  readonly add: (controller: string, file: string, value: number | bigint | string | undefined, field: string) => void
} {
  const limits: Limit[] = []
  return {
    limits,
    add: (controller, file, value, field) => {
      if (value !== undefined) limits.push({ controller, file, value: String(value), from: [pointerOf(field)] })
    },
  }
}

/** The error for a field that a cgroup version does not have. */
export function unsupportedHere(field: string, version: 1 | 2): OciError {
  return new OciError('ERR_CONFIG_UNSUPPORTED', `cgroup v${version} has no ${field.replaceAll('/', '.')}`, {
    pointer: pointerOf(field),
    hint: 'remove the limit',
  })
}
