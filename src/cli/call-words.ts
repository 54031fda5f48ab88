import { type Call, type CallOption, globalOptions, optionsOfCall } from '../program/options.ts'
import { withoutDashes } from './arguments.ts'
import { type CallFlags, valueKinds } from './call-options.ts'
import type { Globals } from './globals.ts'

/** A call of `run`, `create` or `exec`, as commander reads it. */
export interface CallWords {
  readonly call: Call
  /** The options before the command; others are not understood. */
  readonly globals: Pick<Globals, 'root' | 'log' | 'logFormat'>
  /** By the options' names in the library. */
  readonly flags: CallFlags
  /** The words after the options. */
  readonly words: readonly string[]
}

const calls: readonly Call[] = ['create', 'run', 'exec']

type Option = Pick<CallOption, 'name' | 'value' | 'option'> & Partial<Pick<CallOption, 'letter'>>

/**
 * Reads the words of a call as far as the front understands them (native/front/request.c): options in two dashes, or one and a
 * letter, or the letters of some switches behind one, before the words. An option with an empty value is not given.
 *
 * @returns undefined for a call in other words, or one that is wrong
 */
export function readCall(args: readonly string[]): CallWords | undefined {
  const before = takeOptions(
    args,
    globalOptions.filter(({ needsAll }) => !needsAll),
  )
  const [word, ...rest] = before?.words ?? []
  const call = calls.find((name) => name === word)
  if (before === undefined || call === undefined) return undefined
  const after = takeOptions(rest, optionsOfCall(call))
  if (after === undefined) return undefined
  const { logFormat = 'text', ...others } = before.flags as Partial<CallWords['globals']>
  if (logFormat !== 'text' && logFormat !== 'json') return undefined
  const words = call === 'exec' ? withoutDashes(after.words, 1) : after.words
  return { call, globals: { ...others, logFormat }, flags: after.flags, words }
}

/** Options up to the first word that is none. */
function takeOptions(args: readonly string[], options: readonly Option[]) {
  const flags: Record<string, unknown> = {}
  let index = 0
  for (; args[index]?.startsWith('-'); index++) {
    const { form, given } = splitOption(args[index] ?? '')
    const found = options.find(({ name, letter }) => form === `--${name}` || form === `-${letter}`)
    const switches = found === undefined ? switchesOf(form, options) : found.value === undefined ? [found] : undefined
    if (switches !== undefined) {
      if (given !== undefined) return undefined
      for (const { option } of switches) if (option !== undefined) flags[option] = true
      continue
    }
    if (found?.option === undefined || found.value === undefined) return undefined
    const { option, value: kind } = found
    const text = given ?? args[++index]
    if (text === undefined) return undefined
    const { take, isRepeatable } = valueKinds[kind[0]]
    if (text === '') {
      if (!isRepeatable) delete flags[option]
      continue
    }
    const value = take(text, flags[option])
    if (value === undefined) return undefined
    flags[option] = value
  }
  return { flags, words: args.slice(index) }
}

/** The switches of `-it`, one for each letter; undefined for another word. */
function switchesOf(word: string, options: readonly Option[]): readonly Option[] | undefined {
  const letters = /^-(\w{2,})$/.exec(word)?.[1] ?? ''
  const found = [...letters].flatMap((letter) => options.filter((one) => one.letter === letter && !one.value))
  return letters !== '' && found.length === letters.length ? found : undefined
}

/** `--form=given`; a letter has its value as a word of its own. */
function splitOption(word: string): { readonly form: string; readonly given?: string } {
  const end = word.startsWith('--') ? word.indexOf('=') : -1
  return end < 0 ? { form: word } : { form: word.slice(0, end), given: word.slice(end + 1) }
}
