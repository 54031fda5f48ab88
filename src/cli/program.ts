import { Command, InvalidArgumentError, Option } from 'commander'
import { type GlobalOption, globalOption, logFormats } from '../program/options.ts'
import { commandNames, commands } from './commands.ts'
import type { CommandContext } from './context.ts'
import { cgroupManagers } from './globals.ts'
import { formatHelp } from './help.ts'
import { internalCommand } from './internal.ts'
import type { PlainIO } from './io.ts'
import { summaries } from './summaries.ts'
import { UnknownCommand } from './unknown-command.ts'
import { versionFacts, versionText } from './version.ts'

const summary = 'Open Container Initiative runtime, and images to run in it'

const description = `Takes a container image to a running container, without a daemon:

    bundle-tool try alpine:3.20

or step by step:

    bundle-tool pull alpine:3.20 --out bundle
    bundle-tool run -b bundle demo

A bundle is a directory with a root filesystem in "rootfs" and a file
"config.json" that says what to run in it, and how. The runtime commands take
runc's flags and answer as it does, so that container engines can use them.`

/**
 * The command line, its output going to `io`, with the commands that are words of `args`, or all of them for a command that sees
 * all: to make them takes as long as most commands.
 */
export function newProgram(context: CommandContext, args: readonly string[]): Command {
  const { io } = context
  const program = new Command(io.name)
    .summary(summary)
    .usage(`${io.name} [global options] command [command options] [arguments...]`)
    .description(description.replaceAll('bundle-tool', io.name))
    .option('--debug', 'log what is done', false)
    .option(...flagsOf(globalOption('log')))
    .option(...flagsOf(globalOption('log-format')), logFormats[0])
    .option(...flagsOf(globalOption('root')))
    .addOption(
      new Option(
        '--cgroup-manager <name>',
        'what makes the cgroups: cgroupfs, systemd, or auto for systemd where it runs',
      )
        .choices(Object.keys(cgroupManagers))
        .default('cgroupfs', 'cgroupfs'),
    )
    .addOption(new Option(...flagsOf(globalOption('systemd-cgroup'))).implies({ cgroupManager: 'systemd' }))
    .option(
      '--rootless <mode>',
      'whether to go on without cgroups that cannot be made: true, or auto, which is without root; false needs root',
      (mode) => parseRootless(mode, io.euid),
      'auto',
    )
    .version(versionText(versionFacts(io.name)), '-v, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .enablePositionalOptions()
    .action(() => {
      io.stdout.write(formatHelp(program))
    })
  const internal = args.includes('internal') ? [internalCommand(context)] : []
  const named = commandsFor(args).map(({ create }) => create(context))
  const all = [program, ...named, helpCommand(program, io), ...internal]
  for (const command of all) {
    command.exitOverride().configureHelp({ formatHelp })
    command.configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => {} })
    if (command !== program) program.addCommand(command, { hidden: internal.includes(command) })
  }
  return program
}

/** An option as commander is told it. */
const flagsOf = ({ name, value, help }: GlobalOption): [flags: string, description: string] => [
  value === undefined ? `--${name}` : `--${name} <${value[1]}>`,
  help,
]

function commandsFor(args: readonly string[]): typeof commands {
  const named = commands.filter(({ name }) => args.includes(name))
  return named.some(({ seesAll }) => seesAll) ? commands : named
}

function helpCommand(program: Command, io: PlainIO): Command {
  return new Command('help')
    .alias('h')
    .summary(summaries.help)
    .usage(`${io.name} help [command]`)
    .argument('[command]')
    .action((name?: string) => {
      const command = name === undefined ? program : program.commands.find((candidate) => candidate.name() === name)
      if (command === undefined) throw new UnknownCommand(name ?? '', io.name, commandNames)
      io.stdout.write(formatHelp(command))
    })
}

/** Checks runc's --rootless. `auto` finds out whether the caller may make cgroups; one who may not goes on without them. */
function parseRootless(mode: string, euid: number): string {
  if (!['auto', 'true', 'false'].includes(mode)) throw new InvalidArgumentError('it must be true, false or auto')
  if (mode !== 'false' || euid === 0) return mode
  throw new InvalidArgumentError('without root, cgroups that cannot be made are ignored if config.json asks for none')
}
