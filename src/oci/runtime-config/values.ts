/** Schemas of values that several objects of config.json share. */
import type { Integer } from '../json.ts'
import {
  array,
  type Infer,
  int64,
  integer,
  lazy,
  type OptionalSchema,
  object,
  optional,
  refine,
  type Schema,
  string,
} from '../schema.ts'

export const u16: Schema<number> = integer(0, 2 ** 16 - 1)
export const u32: Schema<number> = integer(0, 2 ** 32 - 1)
export const i32: Schema<number> = integer(-(2 ** 31), 2 ** 31 - 1)
export const u64: Schema<Integer> = int64(0n, 2n ** 64n - 1n)
export const i64: Schema<Integer> = int64(-(2n ** 63n), 2n ** 63n - 1n)

/** A user or group id. 2^32-1 is excluded: it is (uid_t)-1, with which chown(2) and setresuid(2) change nothing. */
export const id: Schema<number> = integer(0, 2 ** 32 - 2)

/** A major or minor device number, or -1 for any. */
export const deviceNumber: Schema<number> = integer(-1, 2 ** 32 - 1)

/** A string without NUL, which would end it as an argument of a system call. */
export const cString: Schema<string> = refine(
  string,
  (value) => !value.includes('\0'),
  'must not contain a NUL character',
)
export const filled: Schema<string> = refine(cString, (value) => value !== '', 'must not be empty')
export const absolute: Schema<string> = refine(
  filled,
  (path) => path === '' || path.startsWith('/'),
  'must be an absolute path',
)

export const strings: OptionalSchema<readonly string[]> = optional(array(string))
export const cStrings: OptionalSchema<readonly string[]> = optional(array(cString))
export const env: OptionalSchema<readonly string[]> = optional(
  array(refine(cString, (entry) => entry.indexOf('=') > 0, 'must be NAME=value')),
)

/** A member that most config.json lack: its schema is made only when one has it. */
export const rare = <T>(make: () => Schema<T>): OptionalSchema<T> => optional(lazy(make))

const idMapping = object({
  containerID: u32,
  hostID: u32,
  size: u32,
})
export interface IDMapping extends Infer<typeof idMapping> {}

/** The id mappings of a user namespace. */
export interface IDMappings {
  readonly uidMappings: readonly IDMapping[]
  readonly gidMappings: readonly IDMapping[]
}

export const idMappings: OptionalSchema<readonly IDMapping[]> = optional(array<IDMapping>(idMapping))
