import type { Command, Option } from 'commander'
import { OciError } from '../errors.ts'
import { callOptions } from '../program/options.ts'
import { valueKinds } from './call-options.ts'
import type { ConfigOption } from './config-options.ts'
import { foreignFlagHint } from './foreign-flags.ts'
import { nearest } from './nearest.ts'

/** Commands that take another command's words, flags and all: how many words of their own are before them. */
const commandsWithArguments: Readonly<Record<string, number>> = { exec: 1, ps: 1, try: 1, unshare: 0 }

/** The arguments in commander's form: all of them, or those before `problem`. */
export interface RewrittenArguments {
  readonly args: readonly string[]
  /** The first word that is no flag. */
  readonly commandName?: string | undefined
  readonly command?: Command | undefined
  readonly problem?: OciError | undefined
}

/**
 * Rewrites arguments that follow the rules of Go's flag package, which runc's callers rely on, into commander's:
 * one dash or two before any name, `-name value` and `-name=value`, `-name=false` for a flag that takes no value.
 *
 * A flag with an empty value is not given, unless it changes config.json; a flag of one value that was given before is taken
 * back by it. A switch that is false is the flag `--no-NAME` where there is one.
 * Flags after the first operand of a command in `commandsWithArguments` are not its own but its operands. "--" ends the
 * flags, wherever they could still be: also between a container's ID and the words of the other command. The global flags
 * may follow the command, where it has none of that name; commander wants them before it. A word behind one dash that names
 * no flag, which Go's package refuses, is read as the letters of several (`-qf`), of which the last one may have a value.
 * A `problem` is `ERR_USAGE`: a flag that the command does not have, or whose value is missing or no boolean.
 * @see https://pkg.go.dev/flag "Command line flag syntax"
 */
export function rewriteArguments(program: Command, given: readonly string[]): RewrittenArguments {
  const args = [...given]
  const globals: string[] = []
  const rewritten: string[] = []
  let command = program
  let commandName: string | undefined
  /** "--" has ended the global flags: the command is next. */
  let hasGlobals = false
  const result = (problem?: string, advice = ''): RewrittenArguments => ({
    args: [...globals, ...rewritten],
    commandName,
    command: command === program ? undefined : command,
    problem: problem === undefined ? undefined : new OciError('ERR_USAGE', problem, { hint: advice + helpOf(command) }),
  })

  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? ''
    if (arg === '--' && commandName !== undefined) {
      rewritten.push(...args.slice(index))
      break
    }
    if (arg === '--' && !hasGlobals) {
      hasGlobals = true
      continue
    }
    if ((hasGlobals && commandName === undefined) || !/^-./.test(arg)) {
      const before = commandName === undefined ? undefined : commandsWithArguments[commandName]
      if (before !== undefined) {
        rewritten.push('--', ...withoutDashes(args.slice(index), before))
        break
      }
      if (commandName === undefined) {
        commandName = arg
        const found = program.commands.find(
          (candidate) => candidate.name() === arg || candidate.aliases().includes(arg),
        )
        if (found === undefined) break
        command = found
      }
      rewritten.push(arg)
      continue
    }
    const [, name = '', value] = /^--?([^=]*)(?:=(.*))?$/s.exec(arg) ?? []
    const own = optionNamed(name, optionsOf(command))
    const option = own ?? optionNamed(name, globalOptions(program))
    if (option === undefined) {
      const all = [...optionsOf(command), ...globalOptions(program)]
      const letters = splitLetters(arg, all)
      if (letters === undefined) return result(`flag provided but not defined: -${name}`, adviceFor(name, command, all))
      args.splice(index--, 1, ...letters)
      continue
    }
    const flag = option.long ?? option.short ?? ''
    const words = own === undefined || command === program ? globals : rewritten
    if (option.required) {
      const operand = value ?? args[++index]
      if (operand === undefined) return result(`flag needs an argument: -${name}`)
      if (operand !== '' || takesEmpty(option)) words.push(`${flag}=${operand}`)
      else if (!repeatable.includes(flag)) removeAll(words, `${flag}=`)
      continue
    }
    const isSet = value === undefined ? true : parseBoolean(value)
    if (isSet === undefined) return result(`invalid boolean value "${value}" for -${name}`)
    const negation = isSet ? undefined : optionNamed(`no-${name}`, optionsOf(command))?.long
    if (isSet || negation !== undefined) words.push(negation ?? flag)
  }
  return result()
}

/** A word of several letters as one word for each; undefined if one of them is no flag, or if one before the last has a value. */
function splitLetters(word: string, options: readonly Option[]): readonly string[] | undefined {
  const [, letters = '', value = ''] = /^-(\w{2,})(=.*)?$/s.exec(word) ?? []
  const flags = [...letters].map((letter) => options.find(({ short }) => short === `-${letter}`))
  const isTaken = flags.every((flag, at) => flag !== undefined && (!flag.required || at === flags.length - 1))
  if (letters === '' || !isTaken) return undefined
  return [...letters].map((letter, at) => `-${letter}${at === letters.length - 1 ? value : ''}`)
}

function adviceFor(name: string, command: Command, options: readonly Option[]): string {
  const foreign = foreignFlagHint(command.name(), name)
  if (foreign !== undefined) return `${foreign}; `
  const near = nearest(
    name,
    options.map(({ long }) => long?.slice(2) ?? ''),
  )
  return near === undefined ? '' : `did you mean "--${near}"? `
}

/** How errors say where to read on. */
function helpOf(command: Command): string {
  const { parent } = command
  return `see "${parent === null ? '' : `${parent.name()} `}${command.name()} --help"`
}

const repeatable = callOptions
  .filter(({ value }) => value !== undefined && valueKinds[value[0]].isRepeatable)
  .map(({ name }) => `--${name}`)

function removeAll(words: string[], start: string): void {
  words.splice(0, words.length, ...words.filter((word) => !word.startsWith(start)))
}

/** Words without the "--" that may stand behind the first `count` of them. */
export function withoutDashes(words: readonly string[], count: number): readonly string[] {
  return words[count] === '--' ? [...words.slice(0, count), ...words.slice(count + 1)] : words
}

function optionNamed(name: string, options: readonly Option[]): Option | undefined {
  return options.find(({ long, short }) => long === `--${name}` || short === `-${name}`)
}

/** The options that concern every command. */
function globalOptions(program: Command): readonly Option[] {
  return program.options.filter(({ long }) => long !== '--version')
}

/** The options of a command, `--help` included. */
export function optionsOf(command: Command): readonly Option[] {
  return command.createHelp().visibleOptions(command)
}

/** The spellings of Go's strconv.ParseBool. */
function parseBoolean(value: string): boolean | undefined {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(value)) return true
  if (/^(?:0|f|F|false|FALSE|False)$/.test(value)) return false
  return undefined
}

/** By the property, not the class: that would bring all of commander into the bundle of the compiler. */
const takesEmpty = (option: Option | undefined): option is ConfigOption =>
  option !== undefined && 'takesEmpty' in option
