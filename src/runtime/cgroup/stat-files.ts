import { formatExactJson, type Integer } from '../../oci/json.ts'
import { readControl } from './cgroup.ts'

/** 2^64-1, which runc reports for no limit. */
const noLimit = 2n ** 64n - 1n

/** An integer of any size, exact; 0 for text that is not an integer. */
export function toInteger(text: string | undefined): Integer {
  if (text === 'max') return noLimit
  if (text === undefined || !/^-?\d+$/.test(text)) return 0
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : BigInt(text)
}

/** The number in a control file; undefined when there is no such file. */
export function readInteger(directory: string | undefined, file: string): Integer | undefined {
  const text = directory === undefined ? undefined : readControl(directory, file)
  return text === undefined ? undefined : toInteger(text)
}

/** A file of `name value` lines, sorted by name; empty when there is no such file. */
export function readPairs(directory: string | undefined, file: string): Readonly<Record<string, Integer>> {
  const pairs = readRows(directory, file).map(([name = '', value]) => [name, toInteger(value)] as const)
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** A file's lines, split at white space. */
export function readRows(directory: string | undefined, file: string): readonly (readonly string[])[] {
  const text = directory === undefined ? undefined : readControl(directory, file)
  if (text === undefined || text === '') return []
  return text.split('\n').map((line) => line.trim().split(/\s+/))
}

/** The numbers of a list such as `0-2,5`. @see man 7 cpuset "List format" */
export function parseList(list: string): readonly number[] {
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number)
    if (range === '' || first === undefined || last === undefined) return []
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

/** A copy without members that are zero or empty, as by Go's `omitempty`. */
export function omitEmpty<T extends object>(value: T): Partial<T> {
  const isEmpty = (member: unknown): boolean =>
    member === undefined || member === 0 || member === '' || (Array.isArray(member) && member.length === 0)
  return Object.fromEntries(Object.entries(value).filter(([, member]) => !isEmpty(member))) as Partial<T>
}

/** One line of JSON, 64-bit integers exact. */
export function jsonLine(value: unknown): string {
  return `${formatExactJson(value, '')}\n`
}
