import { type Command, InvalidArgumentError } from 'commander'
import {
  type Call,
  type CallOption,
  callOptions,
  type LifecycleCommand,
  lifecycleOptions,
  optionsOfCall,
} from '../program/options.ts'
import { type CallFlags, valueKinds } from './call-options.ts'

/** Gives a command the options of the contract. */
export function withCallOptions(command: Command, call: Call): Command {
  for (const option of optionsOfCall(call)) addOption(command, option, option.help[call] ?? '')
  return command
}

/** Gives a command on a container that is there the options of the contract. */
export function withLifecycleOptions(command: Command, name: LifecycleCommand): Command {
  for (const option of lifecycleOptions[name]) addOption(command, option, option.help)
  return command
}

/** Gives a command the arguments and options of `create` or `run`. */
export function withContainerOptions(command: Command, call: 'create' | 'run'): Command {
  return withCallOptions(command.argument('<bundle-or-id>').argument('[container-id]'), call)
}

/** The option that names a bundle, for commands that the contract does not know. */
export function withBundleOption(command: Command): Command {
  const bundle = callOptions.find(({ name }) => name === 'bundle')
  return bundle === undefined ? command : addOption(command, bundle, bundle.help.run ?? '')
}

/** The options that commander has found, by their names in the library. */
export function flagsOf(call: Call, found: Readonly<Record<string, unknown>>): CallFlags {
  const pairs = optionsOfCall(call).flatMap(({ name, option }) => {
    const value = found[propertyOf(name)]
    return option === undefined ? [] : [[option, name.startsWith('no-') ? value === false : value] as const]
  })
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined && value !== false))
}

/** Commander's name: `pidFile` for `pid-file`, and `pivot` for `no-pivot`, which is true unless that is given. */
const propertyOf = (name: string): string =>
  name.replace(/^no-/, '').replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())

function addOption(
  command: Command,
  { name, letter, value }: Pick<CallOption, 'name' | 'letter' | 'value'>,
  description: string,
): Command {
  const flags = `${letter === undefined ? '' : `-${letter}, `}--${name}`
  if (value === undefined) return command.option(flags, description)
  const [kind, placeholder] = value
  const { take, problem } = valueKinds[kind]
  const parse = (text: string, earlier: unknown): unknown => {
    const taken = take(text, earlier)
    if (taken === undefined) throw new InvalidArgumentError(problem)
    return taken
  }
  return command.option(`${flags} <${placeholder}>`, description, parse)
}
