import { OciError } from '../errors.ts'
import { optionNames, type VerbWithOptions } from './options.ts'

const stdioNames = { stdin: false, stdout: false, stderr: false }

/**
 * Refuses options that a verb does not have, or lacks.
 *
 * @param args what the verb is called with, its options last
 * @throws OciError `ERR_USAGE` naming the option
 */
export function checkOptions(verb: VerbWithOptions, args: readonly unknown[]): void {
  const given = args.at(-1)
  const options = isObject(given) ? given : {}
  checkNames(`${verb}()`, options, optionNames[verb])
  if (isObject(options.stdio) && 'stdio' in optionNames[verb])
    checkNames(`stdio of ${verb}()`, options.stdio, stdioNames)
}

function checkNames(what: string, given: Readonly<Record<string, unknown>>, known: Readonly<Record<string, boolean>>) {
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue
    throw new OciError('ERR_USAGE', `${what} has no option "${name}"`, {
      hint: `it has ${Object.keys(known).sort().join(', ')}`,
    })
  }
  for (const [name, isNeeded] of Object.entries(known)) {
    if (isNeeded && given[name] === undefined) throw new OciError('ERR_USAGE', `${what} needs the option "${name}"`)
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null
