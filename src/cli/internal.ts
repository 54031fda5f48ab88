import type { Command } from 'commander'
import { toPlainError } from '../errors.ts'
import type { TryRequest } from '../verbs/container/try-with-subids.ts'
import { withProgress } from './bundle-options.ts'
import { type CommandContext, newCommand, warner } from './context.ts'

/** `internal`: what a running program needs of TypeScript. Not for people, and in no list. */
export function internalCommand(context: CommandContext): Command {
  return newCommand(context, {
    name: 'internal',
    usage: '<action>',
    description: 'Does a step of a program that needs more than system calls. Its input is written by the compiler.',
  })
    .argument('<action>')
    .action(async (action: string) => {
      const { runInternal } = await import('../verbs/container/internal.ts')
      const chunks: Uint8Array[] = []
      for await (const chunk of context.io.stdin) chunks.push(chunk)
      const input = Buffer.concat(chunks).toString()
      if (action === 'prepare-try') return await answerTry(context, JSON.parse(input))
      if (action === 'remove-try') return (await import('../verbs/image/try-bundle.ts')).removeBundle(input)
      await runInternal(action, input)
    })
}

/** Prepares a try for a process outside of this user namespace, which puts errors into words. */
async function answerTry(context: CommandContext, { image, isQuiet, ...request }: TryRequest): Promise<void> {
  const { prepareTry } = await import('../verbs/image/prepare-try.ts')
  const { formatAnswer } = await import('../verbs/container/try-with-subids.ts')
  const { env, stdout } = context.io
  try {
    const prepared = await withProgress(context, { quiet: isQuiet }, (reports) =>
      prepareTry(image, { ...request, ...reports, subids: true, env, warn: warner(context) }),
    )
    stdout.write(formatAnswer({ prepared }))
  } catch (error) {
    stdout.write(formatAnswer({ error: toPlainError(error) }))
  }
}
