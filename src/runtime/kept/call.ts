import type { CompileOptions } from '../../compile/context.ts'
import { type Call, optionsOfCall } from '../../program/options.ts'

/** Options of the library that do not change the compiled program. */
const independent: readonly string[] = [
  'id',
  'root',
  'args',
  'log',
  'handOver',
  'noKept',
  'forwardSignals',
  'stdio',
  'abort',
  'endsWithCaller',
]

/**
 * The options of a call without those that have no effect: an empty text, a switch that is off, a count of 0, an empty
 * list, and empty texts in a list. An empty value on the command line means that an option is not given, as with runc.
 */
export function givenOptions<T extends object>(call: Call, options: T): T {
  const given = { ...options } as Record<string, unknown>
  for (const { option } of optionsOfCall(call)) {
    if (option === undefined) continue
    const value = given[option]
    const left = Array.isArray(value) ? value.filter((item) => item !== '') : value
    if (!left || (Array.isArray(left) && left.length === 0)) delete given[option]
    else given[option] = left
  }
  return given as unknown as T
}

/**
 * The command and its options, a line each, in the order of the contract's table: the front (native/front/request.c)
 * composes the same text for its call. The paths of --pid-file and --console-socket are not in it, since they are
 * registers of the program.
 *
 * @param options the options from `givenOptions`
 * @returns undefined for a call whose program is not kept: with an option that forbids that, an option that is given
 *   twice, a line break in a value, or an option that only the library has
 */
export function describeCall(call: Call, options: object): string | undefined {
  const left = new Map(Object.entries(options).filter(([name, value]) => value && !independent.includes(name)))
  const lines: string[] = [call]
  for (const { name, value: kind, option, kept } of optionsOfCall(call)) {
    if (option === undefined) continue
    const given: unknown = left.get(option)
    left.delete(option)
    if (given === undefined || kept === 'apart') continue
    const values: readonly unknown[] = Array.isArray(given) ? given : [given]
    if (kept === 'never' || values.length > 1) return undefined
    lines.push(kept === 'by_value' && kind !== undefined ? `--${name}=${values[0]}` : `--${name}`)
  }
  return left.size > 0 || lines.some((line) => line.includes('\n')) ? undefined : lines.join('\n')
}

type Mode = CompileOptions['mode']

/** The command that launches a container in a mode. */
export const commandOf = (mode: Mode): 'create' | 'run' => (mode === 'create' ? 'create' : 'run')

/** Describes a `run` or `create` as `describeCall` does. */
export const describeLaunch = (options: object, mode: Mode): string | undefined =>
  describeCall(commandOf(mode), { ...options, detach: mode === 'detached' })
