import type { Command } from 'commander'
import { type CommandContext, newCommand } from './context.ts'

/** `internal`: what a running program needs of TypeScript. Not for people, and in no list. */
export function internalCommand(context: CommandContext): Command {
  return newCommand(context, {
    name: 'internal',
    summary: 'do a step of a program',
    usage: '<action>',
    description: 'Does a step of a program that needs more than system calls. Its input is written by the compiler.',
  })
    .argument('<action>')
    .action(async (action: string) => {
      const { runInternal } = await import('../verbs/container/internal.ts')
      const chunks: Uint8Array[] = []
      for await (const chunk of context.io.stdin) chunks.push(chunk)
      await runInternal(action, Buffer.concat(chunks).toString())
    })
}
