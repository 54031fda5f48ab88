import { type Command, Option } from 'commander'
import { OciError } from '../errors.ts'
import type { TextOutput } from './io.ts'
import type { Log } from './log.ts'

/** The form in which a command prints its data, by its name on the command line. */
export type Format = 'text' | 'table' | 'json'

interface FormatOptions {
  /** The form without the flag; `json` for a command that has no other. */
  readonly plain: Format
  /** The JSON document in words: "a JSON array of images". */
  readonly json: string
  /** The short name of `--format`, where runc has one. */
  readonly letter?: string
}

/**
 * Gives a command that prints data the flags `--format FORMAT` and `--json`; of several, the last one counts. The shape
 * of its document is declared in src/cli/json.
 */
export function withFormat(command: Command, { plain, json, letter }: FormatOptions): Command {
  const names = `${letter === undefined ? '' : `-${letter}, `}--format <format>`
  const known = [...new Set<string>([plain, 'json'])]
  const parse = (format: string): string => {
    if (known.includes(format)) return format
    // runc's words, and no more than those for the commands that are runc's.
    const hint = letter === undefined ? `use ${known.join(' or ')}` : undefined
    throw new OciError('ERR_USAGE', `invalid format option "${format}"`, { hint })
  }
  const choice = plain === 'json' ? `json: ${json}` : `${plain}, or json for ${json} (default: ${plain})`
  return command
    .addOption(new Option(names, choice).choices(known).argParser(parse))
    .option('--json', 'the same as --format json')
    .on('option:json', () => command.setOptionValueWithSource('format', 'json', 'cli'))
}

/** True when a command prints data. */
export function hasFormat(command: Command): boolean {
  return command.options.some(({ long }) => long === '--format')
}

/** True when a command whose options have been parsed was asked for JSON, its errors included. */
export function printsJson(command: Command): boolean {
  return command.opts<{ readonly format?: unknown }>().format === 'json'
}

/** True when the words of a command line that could not be parsed ask for JSON. */
export function asksForJson(words: readonly string[]): boolean {
  const end = words.indexOf('--')
  const own = end < 0 ? words : words.slice(0, end)
  return own.some((word, index) => {
    const [, name, value = own[index + 1]] = /^--?(json|format)(?:=(.*))?$/s.exec(word) ?? []
    return name === 'json' || (name === 'format' && value === 'json')
  })
}

/** A log for programs that read standard error: an object on a line for each message, its level the only member. */
export function jsonLog(stderr: TextOutput, isDebug: boolean): Log {
  return (level, message) => {
    if (level !== 'debug' || isDebug) stderr.write(`${JSON.stringify({ [level]: { message } })}\n`)
  }
}
