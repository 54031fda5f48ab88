import { OciError } from '../errors.ts'
import { JsonSyntaxError, parseExactJson } from './json.ts'
import { checkJsonLimits } from './json-limits.ts'
import { invalidDocument } from './problem.ts'
import { type Resources, resources } from './runtime-config/resources.ts'
import { parseBy } from './schema.ts'

/**
 * Parses the document of `update --resources`, a value of `linux.resources`. Like Go's decoder, it accepts names in any
 * case. `null` changes nothing. Text after the document is ignored, as in runc.
 *
 * @param what names the document in errors
 * @param warn receives a message about text that is ignored
 * @throws OciError `ERR_CONFIG_INVALID` with the pointer of the first problem
 */
export function parseResources(text: string, what: string, warn: (message: string) => void = () => {}): Resources {
  const result = parseBy(resources, parse(text, what, warn) ?? {})
  if (result.kind === 'invalid') throw invalidDocument(result.problems, { what, code: 'ERR_CONFIG_INVALID' })
  return result.value
}

function parse(text: string, what: string, warn: (message: string) => void): unknown {
  try {
    checkJsonLimits(text)
    return parseExactJson(text)
  } catch (cause) {
    if (!(cause instanceof JsonSyntaxError)) throw cause
    if (cause.document !== undefined) {
      warn(`${what}: the text after the document, from line ${cause.line}, column ${cause.column} on, is ignored`)
      return parseExactJson(cause.document)
    }
    throw new OciError('ERR_CONFIG_INVALID', `${what} is not JSON: ${cause.message}`, { cause })
  }
}
