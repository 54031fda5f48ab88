import { OciError } from '../../errors.ts'

/** A value for a control file: on v1 in the hierarchy of `controller`, on v2 in the unified one. */
export interface Limit {
  readonly controller: string
  readonly file: string
  readonly value: string
  /** Pointers of the fields that the value is made of, the one to blame first. */
  readonly from: readonly [string, ...string[]]
  /** Whether the value says nothing that holds anyway where the file is missing. */
  readonly optional?: boolean
}

/** What decides how a limit is written. */
export interface LimitHost {
  /** The version of cgroups that a controller, by its name in v1, is in. */
  readonly versionOf: (controller: string) => 1 | 2
  /** Whether there is nothing but the unified hierarchy, whose files `unified` names. */
  readonly isUnified: boolean
  /** Whether the I/O scheduler that heeds block I/O weights is there; its files have names of their own. */
  readonly hasBfq: boolean
}

/** One version for all controllers. */
export const hostOf = (version: 1 | 2, hasBfq = false): LimitHost => ({
  versionOf: () => version,
  isUnified: version === 2,
  hasBfq,
})

export const pointerOf = (field: string): string => `/linux/resources/${field}`

/** In these fields runc's Go zero means "not set". */
export function nonZero(value: number | bigint | undefined): number | bigint | undefined {
  return value === undefined || BigInt(value) === 0n ? undefined : value
}

/** What Docker's -1 becomes in a field that takes no negative number; it means "not set". */
const minusOne = 2n ** 64n - 1n

/** Undefined where nothing is asked for: in `memory.swappiness`. */
export const unlessMinusOne = (value: number | bigint | undefined): number | bigint | undefined =>
  value !== undefined && BigInt(value) === minusOne ? undefined : value

/** `-1` is no limit. */
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

export function unsupportedHere(field: string, version: 1 | 2): OciError {
  return new OciError('ERR_CONFIG_UNSUPPORTED', `cgroup v${version} has no ${field.replaceAll('/', '.')}`, {
    pointer: pointerOf(field),
    hint: 'remove the limit',
  })
}
