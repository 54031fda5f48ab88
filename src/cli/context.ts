import { Command } from 'commander'
import { nested } from './columns.ts'
import { asksForLog, type Globals } from './globals.ts'
import type { PlainIO, TextOutput } from './io.ts'
import type { Log } from './log.ts'
import { type CommandName, summaryOf } from './summaries.ts'

/** The means that a command's action works with. */
export interface CommandContext {
  readonly io: PlainIO
  /** All words of the command line, without the interpreter and the script. */
  readonly args: readonly string[]
  /** The options before the command's name; to be read when the action runs. */
  readonly globals: () => Globals
  readonly log: Log
  /** Prints data on standard output, or another that is named: as one JSON document and a line feed where that is asked for, else as text. */
  readonly print: <T>(data: T, text: (data: T) => string, output?: TextOutput) => void
  /** True when the command prints JSON; known once the action runs. */
  readonly isJson: () => boolean
  /** Makes `status` the exit code of the process; without a call it is 0. */
  readonly exit: (status: number) => void
}

/** `runtime`: one of runc's commands, which fails as runc's does; `image`: one for people. */
export type CommandKind = 'runtime' | 'image'

export interface CommandText {
  readonly name: CommandName
  /** The words after the name on the command line; several lines for several forms. */
  readonly usage: string
  readonly description: string
}

/** A command with its texts, to which the caller adds arguments, options and the action. */
export function newCommand({ io }: CommandContext, { name, usage, description }: CommandText): Command {
  return new Command(name)
    .summary(summaryOf(name))
    .usage(usage.replaceAll(/^/gm, `${io.name} ${name} `))
    .description(description.replaceAll('bundle-tool', io.name))
    .helpOption('-h, --help', 'show help')
}

/** Writes warnings of a command for people: as text, or where they asked for a log or for JSON, as that. */
export function warner({ io, globals, log, isJson }: CommandContext): (message: string) => void {
  return (message) => {
    if (!asksForLog(globals()) && !isJson()) io.stderr.write(`warning: ${nested(message)}\n`)
    else log('warning', message)
  }
}
