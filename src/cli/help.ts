import type { Command, Option } from 'commander'
import { optionsOf } from './arguments.ts'
import { summaries } from './summaries.ts'

/** Help in the layout of runc's, which scripts look into: NAME, USAGE, DESCRIPTION, COMMANDS, OPTIONS. */
export function formatHelp(command: Command): string {
  const parent = command.parent
  const name = parent === null ? command.name() : `${parent.name()} ${command.name()}`
  const sections = [
    section('NAME', [`${name} - ${command.summary()}`]),
    section('USAGE', command.usage().split('\n')),
    ...(command.description() === '' ? [] : [section('DESCRIPTION', command.description().split('\n'))]),
    ...(parent !== null ? [] : [section('COMMANDS', commandLines())]),
    section(parent === null ? 'GLOBAL OPTIONS' : 'OPTIONS', optionLines(command)),
  ]
  return sections.join('\n')
}

function section(title: string, lines: readonly string[]): string {
  return `${title}:\n${lines.map((line) => (line === '' ? '\n' : `   ${line}\n`)).join('')}`
}

/** The summaries of all commands, most of which are not made. */
const commandLines = (): string[] =>
  aligned(Object.entries(summaries).map(([name, summary]) => [name === 'help' ? 'help, h' : name, summary]))

function optionLines(command: Command): string[] {
  return aligned(optionsOf(command).map((option) => [optionTerm(option), option.description]))
}

/** `--bundle value, -b value`, the long name first as runc has it. */
export function optionTerm({ long, short, required }: Option): string {
  const names = [long, short].filter((name) => name !== undefined)
  return names.map((name) => (required ? `${name} value` : name)).join(', ')
}

function aligned(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([term]) => term.length))
  return rows.map(([term, text]) => `${term.padEnd(width)}  ${text}`)
}
