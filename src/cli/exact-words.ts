import { readFileSync } from 'node:fs'
import { exactText, isText } from '../text.ts'

/**
 * The words of this process's command line, byte for byte, as `exactText` has them. In those that Node.js gives, U+FFFD
 * stands for each byte that is no UTF-8: another file, or another argument, than the caller's.
 *
 * @param words the last ones of the command line
 */
export function exactWords(words: readonly string[]): readonly string[] {
  if (!words.some((word) => word.includes('\ufffd'))) return words
  const all: string[] = []
  const bytes = readFileSync('/proc/self/cmdline')
  for (let start = 0, end = 0; start < bytes.length; start = end + 1) {
    end = bytes.indexOf(0, start)
    if (end < 0) end = bytes.length
    all.push(exactText(bytes.subarray(start, end)))
  }
  return all.slice(-words.length)
}

/** Options whose values only the kernel reads. Any other names a file for Node.js, or is for JSON, which know text alone. */
const forKernel: ReadonlySet<string> = new Set(['cwd', 'env', 'pidFile', 'consoleSocket', 'pidfdSocket', 'log'])

/** The options of a call, by commander's names, and its words. */
interface Call {
  readonly command: string
  readonly options: Readonly<Record<string, unknown>>
  readonly words: readonly string[]
}

/** The first value that must be UTF-8 and is not, with the name of its option; the command of `exec` may be any bytes. */
export function firstThatIsNoText({ command, options, words }: Call): string | undefined {
  for (const [name, value] of Object.entries(options)) {
    if (forKernel.has(name)) continue
    const wrong = [value].flat().find((item) => typeof item === 'string' && !isText(item))
    if (wrong !== undefined) return `${flagOf(name)} "${String(wrong)}"`
  }
  const wrong = (command === 'exec' ? words.slice(0, 1) : words).find((word) => !isText(word))
  return wrong === undefined ? undefined : `"${wrong}"`
}

const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
