import { type Command, Option } from 'commander'
import { configFlags, type NamedFlag } from '../bundle/changes/table.ts'
import { OciError } from '../errors.ts'
import type { ConfigOptions } from '../verbs/container/config.ts'

/** An option whose value may be empty, and then is given nonetheless. */
export class ConfigOption extends Option {
  readonly takesEmpty = true
}

/** The values that commander has found for the flags that change config.json, beside a command's own. */
export type ConfigFlags = Readonly<Record<string, unknown>>

/** Gives a command the flags that change config.json, and the words behind `--`. */
export function withConfigOptions(command: Command): Command {
  for (const flag of configFlags) addFlag(command, flag)
  return command.argument('[words...]')
}

function addFlag(command: Command, { name, flag }: NamedFlag): void {
  const { letter, help, kind } = flag
  const long = `${letter === undefined ? '' : `-${letter}, `}--${name}`
  if (kind === 'switch') {
    command.addOption(new ConfigOption(long, help))
    if (flag.negation !== undefined) command.addOption(new ConfigOption(`--no-${name}`, flag.negation))
    return
  }
  const option = new ConfigOption(`${long} <${flag.placeholder ?? 'value'}>`, help)
  if (kind === 'list') option.argParser((value, earlier: readonly string[] = []) => [...earlier, value])
  command.addOption(option)
}

/**
 * The changes that flags and words ask for.
 *
 * @param words the operands behind the command's own ones
 * @param args the whole command line, of which `words` are the end
 * @throws OciError `ERR_USAGE` the words do not stand behind `--`
 */
export function changesOf(
  flags: ConfigFlags,
  words: readonly string[],
  args: readonly string[],
): NonNullable<ConfigOptions['changes']> {
  if (words.length > 0 && args.at(-words.length - 1) !== '--') {
    throw new OciError('ERR_USAGE', `there is one operand too many: "${words[0]}"`, {
      hint: 'the command to run in the container stands behind "--"',
    })
  }
  const given = configFlags.flatMap(({ property }) =>
    flags[property] === undefined ? [] : [[property, flags[property]] as const],
  )
  return { ...Object.fromEntries(given), ...(words.length > 0 && { args: words }) }
}
