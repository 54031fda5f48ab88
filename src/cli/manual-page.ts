import type { Command } from 'commander'
import { toolVersion } from '../verbs/tool-version.ts'
import { optionsOf } from './arguments.ts'
import { optionTerm } from './help.ts'
import { visibleCommands } from './visible-commands.ts'

/**
 * The manual page of a command, or of the tool itself, which lists the others: roff with the macros of man(7).
 */
export function manualPage(command: Command): string {
  const { parent } = command
  const name = pageName(command)
  const [description = '', examples] = command.description().split(/^EXAMPLES:\n/m)
  const sections = [
    `.TH ${name.toUpperCase()} 1 "" "${(parent ?? command).name()} ${toolVersion()}"`,
    section('NAME', `${escaped(name)} \\- ${escaped(command.summary())}`),
    section('SYNOPSIS', `.nf\n${lines(command.usage())}\n.fi`),
    section('DESCRIPTION', paragraphs(description)),
    ...(parent === null ? [section('COMMANDS', visibleCommands(command).map(commandEntry).join('\n'))] : []),
    section(parent === null ? 'GLOBAL OPTIONS' : 'OPTIONS', optionEntries(command)),
    ...(examples === undefined ? [] : [section('EXAMPLES', verbatim(examples))]),
    section('SEE ALSO', seeAlso(command)),
  ]
  return `${sections.join('\n')}\n`
}

/** `bundle-tool-run`, as git and others name the pages of their commands. */
export function pageName(command: Command): string {
  return command.parent === null ? command.name() : `${command.parent.name()}-${command.name()}`
}

const section = (title: string, text: string): string => `.SH ${title}\n${text}`

/** Indented lines are as they are, and others flow. */
function paragraphs(text: string): string {
  return text
    .trim()
    .split(/\n{2,}/)
    .map((paragraph) => (/^ /.test(paragraph) ? verbatim(paragraph) : lines(paragraph)))
    .join('\n.PP\n')
}

function verbatim(text: string): string {
  return `.PP\n.nf\n.RS\n${lines(text.trimEnd().replaceAll(/^ {4}/gm, ''))}\n.RE\n.fi`
}

const entry = (term: string, text: string): string => `.TP\n.B ${term}\n${lines(text)}`

const commandEntry = (command: Command): string => entry(escaped(command.name()), command.summary())

function optionEntries(command: Command): string {
  return optionsOf(command)
    .map((option) => entry(escaped(optionTerm(option)), option.description))
    .join('\n')
}

function seeAlso(command: Command): string {
  const { parent } = command
  const pages = parent === null ? visibleCommands(command).filter((one) => one.name() !== 'help') : [parent]
  return pages.map((page) => `.BR ${escaped(pageName(page))} (1)`).join(',\n')
}

const lines = (text: string): string => text.split('\n').map(line).join('\n')

/** A dot or a quote at the beginning of a line would be a request. */
const line = (text: string): string => escaped(text).replace(/^(?=[.'])/, '\\&')

/** Hyphens of options are those that can be typed. @see man 7 groff_char */
const escaped = (text: string): string => text.replaceAll('\\', '\\e').replaceAll('-', '\\-')
