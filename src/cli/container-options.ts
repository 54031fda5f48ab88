import { type Command, InvalidArgumentError } from 'commander'
import { type Call, type CallOption, callOptions, kinds } from './call-options.ts'

/** Gives a command the options of the table. */
export function withCallOptions(command: Command, call: Call): Command {
  for (const option of callOptions[call]) addOption(command, option)
  return command
}

/** Gives a command the arguments and options of `create` or `run`. */
export function withContainerOptions(command: Command, call: 'create' | 'run'): Command {
  return withCallOptions(command.argument('<bundle-or-id>').argument('[container-id]'), call)
}

export function addOption(command: Command, { flags, description, kind }: CallOption): Command {
  if (kind === undefined) return command.option(flags, description)
  const { initial, take, problem } = kinds[kind]
  const parse = (text: string, earlier: unknown): unknown => {
    const value = take(text, earlier)
    if (value === undefined) throw new InvalidArgumentError(problem)
    return value
  }
  return command.option(flags, description, parse, initial)
}
