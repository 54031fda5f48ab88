import type { Command } from 'commander'

/** The commands of a program that its help lists. */
export function visibleCommands(program: Command): readonly Command[] {
  return program.createHelp().visibleCommands(program)
}
