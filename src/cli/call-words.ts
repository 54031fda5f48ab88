import { type Call, type CallOption, callOptions, kinds } from './call-options.ts'
import type { Globals } from './globals.ts'

/** A call of `run`, `create` or `exec`, as commander reads it. */
export interface CallWords {
  readonly call: Call
  /** Those before the command; others are not understood. */
  readonly globals: Pick<Globals, 'root' | 'log' | 'logFormat'>
  /** By their names in commander: `pidFile`, or `pivot` for `--no-pivot`. */
  readonly flags: Readonly<Record<string, unknown>>
  /** What follows the options. */
  readonly words: readonly string[]
}

/**
 * Reads the words of a call as far as the front understands them (native/request.c): options in two dashes, or one and a
 * letter, before the words.
 *
 * @returns undefined for a call in other words, or one that is wrong
 */
export function readCall(args: readonly string[]): CallWords | undefined {
  const before = takeOptions(args, globalOptions)
  const [call = '', ...rest] = before?.words ?? []
  if (before === undefined || !Object.hasOwn(callOptions, call)) return undefined
  const after = takeOptions(rest, callOptions[call as Call])
  if (after === undefined) return undefined
  const { logFormat = 'text', ...others } = before.flags
  if (logFormat !== 'text' && logFormat !== 'json') return undefined
  const globals: CallWords['globals'] = { ...others, logFormat }
  return { call: call as Call, globals, ...after }
}

const globalOptions: readonly CallOption[] = [
  { flags: '--root <directory>', description: '' },
  { flags: '--log <file>', description: '' },
  { flags: '--log-format <format>', description: '' },
]

/** Options up to the first word that is none. */
function takeOptions(args: readonly string[], options: readonly CallOption[]) {
  const flags: Record<string, unknown> = {}
  for (const { flags: forms, kind } of options) {
    if (kind !== undefined) flags[namesOf(forms).name] = kinds[kind].initial
    else if (forms.startsWith('--no-')) flags[namesOf(forms).name] = true
  }
  let index = 0
  for (; args[index]?.startsWith('-'); index++) {
    const [, form, given] = /^(--[^=]*|-.)(?:=(.*))?$/s.exec(args[index] ?? '') ?? []
    const option = form && options.find(({ flags: forms }) => forms.split(/,? /).includes(form))
    if (!option) return undefined
    const { name, hasValue, isNegated } = namesOf(option.flags)
    if (!hasValue) {
      if (given !== undefined) return undefined
      flags[name] = !isNegated
      continue
    }
    const text = given ?? args[++index]
    const value = text === undefined || option.kind === undefined ? text : kinds[option.kind].take(text, flags[name])
    if (value === undefined) return undefined
    flags[name] = value
  }
  return { flags, words: args.slice(index) }
}

/** What the text of an option says in commander's form. */
function namesOf(flags: string) {
  const words = flags.split(/,? /)
  const forms = words.filter((word) => word.startsWith('-'))
  const long = (forms.at(-1) ?? '').slice(2)
  const isNegated = long.startsWith('no-')
  const name = (isNegated ? long.slice(3) : long).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
  return { name, isNegated, hasValue: words.length > forms.length }
}
