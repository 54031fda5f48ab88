import { refusal } from './flag.ts'

/** A variable to set, or to remove when it has no value. */
export interface Variable {
  readonly name: string
  readonly value: string | undefined
}

type Environment = Readonly<Record<string, string | undefined>>

/** `NAME=value`, or `NAME` for the value that the caller has. */
export function parseVariable(text: string, env: Environment): Variable {
  const at = text.indexOf('=')
  const name = at < 0 ? text : text.slice(0, at)
  if (name === '') throw refusal('it names no variable: write NAME=value')
  return { name, value: at < 0 ? env[name] : text.slice(at + 1) }
}

/**
 * Reads a file as docker's `--env-file`: a variable on each line, its value taken as it is, quotes and all. Space before
 * the name, empty lines and lines that begin with `#` are passed over.
 */
export function parseEnvFile(content: string, env: Environment): readonly Variable[] {
  return content
    .replace(/^\ufeff/, '')
    .split('\n')
    .map((line, index) => ({ line: line.replace(/\r$/, '').trimStart(), number: index + 1 }))
    .filter(({ line }) => line !== '' && !line.startsWith('#'))
    .map(({ line, number }) => {
      const [name = ''] = line.split('=', 1)
      if (name === '') throw refusal(`line ${number} names no variable: "${line}"`)
      if (/\s/.test(name)) throw refusal(`line ${number} has white space in the name of a variable: "${name}"`)
      if (line.includes('\0')) throw refusal(`line ${number} has a NUL character`)
      return parseVariable(line, env)
    })
}
