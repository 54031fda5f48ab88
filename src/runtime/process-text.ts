import { parseProcess } from '../oci/runtime-config.ts'

const mark = '"args":['
const word = String.raw`"(?:[ !#-[\]-~]|\\["\\/nt]|\\u00(?!00)[0-7][0-9A-Fa-f])*"`
const list = new RegExp(`${word}(?:,${word})*(?=\\])`, 'y')

/**
 * The text of a process as engines write it, without its command: the words in `"args":[...]`, which the front takes
 * out as well (native/front/process_text.c). Processes with the same result differ only in their commands.
 * @returns undefined when the text has another form
 */
export function withoutCommand(text: string): string | undefined {
  const start = text.indexOf(mark) + mark.length
  list.lastIndex = start
  if (start < mark.length || !list.test(text)) return undefined
  const [before, after] = [text.slice(0, start), text.slice(list.lastIndex)]
  const { args = [] } = parseProcess(`${before}"\\u0001"${after}`)
  return args.length === 1 && args[0] === '\x01' ? before + after : undefined
}
