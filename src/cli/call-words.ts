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
    const { form, given } = splitOption(args[index] ?? '')
    const option = options.find(({ flags: forms }) => wordsOf(forms).includes(form))
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

// No regular expressions: each takes V8 a while when it is first used, and here it is hardly used again.

/** `--form=given`; a letter has its value as a word of its own. */
function splitOption(word: string): { readonly form: string; readonly given?: string } {
  const end = word.startsWith('--') ? word.indexOf('=') : -1
  return end < 0 ? { form: word } : { form: word.slice(0, end), given: word.slice(end + 1) }
}

/** `-b`, `--bundle`, `<directory>` */
const wordsOf = (flags: string): readonly string[] => flags.replaceAll(',', '').split(' ')

/** What the text of an option says in commander's form. */
function namesOf(flags: string) {
  const words = wordsOf(flags)
  const forms = words.filter((word) => word.startsWith('-'))
  const long = (forms.at(-1) ?? '').slice(2)
  const isNegated = long.startsWith('no-')
  const [first = '', ...others] = (isNegated ? long.slice(3) : long).split('-')
  const name = first + others.map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join('')
  return { name, isNegated, hasValue: words.length > forms.length }
}
