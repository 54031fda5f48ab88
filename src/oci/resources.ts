import { OciError } from '../errors.ts'
import { JsonSyntaxError, parseExactJson } from './json.ts'
import type { Resources } from './runtime-config.ts'
import { resources } from './runtime-config-schema.ts'
import { check, foldNames } from './schema.ts'

/**
 * Parses the document of `update --resources`: the value of `linux.resources`, names in any case, as Go's decoder has it.
 *
 * @param what how errors name the document
 * @throws OciError `ERR_CONFIG_INVALID` with the pointer of the first problem
 */
export function parseResources(text: string, what: string): Resources {
  return check(resources, foldNames(resources, parse(text, what)), { what, code: 'ERR_CONFIG_INVALID' })
}

function parse(text: string, what: string): unknown {
  try {
    return parseExactJson(text)
  } catch (cause) {
    if (!(cause instanceof JsonSyntaxError)) throw cause
    throw new OciError('ERR_CONFIG_INVALID', `${what} is not JSON: ${cause.message}`, { cause })
  }
}
