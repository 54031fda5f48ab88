import type { Command } from 'commander'
import { OciError } from '../errors.ts'
import { compiledAhead } from './compiled-ahead.ts'
import { type ConfigFlags, changesOf, withConfigOptions } from './config-options.ts'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'

interface OwnFlags {
  readonly bundle: string
  readonly show?: boolean
}

/** `config`: changes of a bundle's config.json. */
export function configCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'config',
    usage: '[command options] [-- <command> [arguments...]]\n--show [-b BUNDLE]',
    description: `Changes what a bundle's config.json says, by flags that are named as docker's and
podman's are; "pull", "unpack" and "spec" take them too. All is changed or nothing,
and what no flag is for stays as it is.

EXAMPLES:
    bundle-tool config -b bundle -e LANG=C.UTF-8 -w /tmp -- ls -l
    bundle-tool config -b bundle --show`,
  })
  const formatted = withFormat(command, { plain: 'text', json: 'a JSON array of the words that --show prints' })
  return withConfigOptions(
    formatted
      .option('-b, --bundle <directory>', 'the bundle (default: the current directory)', '.')
      .option('--show', 'print how it differs from the default, as flags, one on each line'),
  ).action(async (words: readonly string[], { bundle, show, ...flags }: OwnFlags & ConfigFlags) => {
    const verbs = await import('../verbs/container/config.ts')
    const changes = changesOf(flags, words, context.args)
    const isChange = Object.keys(changes).length > 0
    if (Boolean(show) === isChange) {
      throw new OciError('ERR_USAGE', show ? '--show changes nothing' : 'there is nothing to change', {
        hint: 'use --show alone, or flags that change something',
      })
    }
    if (show) return context.print(await verbs.showConfig({ bundle }), shellLines)
    await verbs.config({ bundle, changes, env: context.io.env })
    await compiledAhead(context, bundle)
  })
}

/** One flag on each line and the command on the last, quoted for a shell. */
function shellLines(words: readonly string[]): string {
  const end = words.indexOf('--')
  const flags = end < 0 ? words : words.slice(0, end)
  const lines = [...flags.map(shellWord), ...(end < 0 ? [] : [words.slice(end).map(shellWord).join(' ')])]
  return lines.map((line) => `${line}\n`).join('')
}

const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
