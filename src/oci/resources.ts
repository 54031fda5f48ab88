import * as z from 'zod/mini'
import { OciError } from '../errors.ts'
import { JsonSyntaxError, parseExactJson } from './json.ts'
import type { Resources } from './runtime-config.ts'
import { resources } from './runtime-config-schema.ts'
import { check } from './schema.ts'

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

/** Gives the members of objects the names that the schema has for them; of two spellings the later one wins. */
function foldNames(schema: unknown, value: unknown): unknown {
  if (schema instanceof z.ZodMiniOptional) return foldNames(schema.def.innerType, value)
  if (typeof value !== 'object' || value === null) return value
  if (schema instanceof z.ZodMiniArray && Array.isArray(value)) {
    return value.map((item) => foldNames(schema.def.element, item))
  }
  if (schema instanceof z.ZodMiniRecord) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, foldNames(schema.def.valueType, item)]))
  }
  if (!(schema instanceof z.ZodMiniObject) || Array.isArray(value)) return value
  const { shape } = schema.def
  const names = new Map(Object.keys(shape).map((name) => [name.toLowerCase(), name]))
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const name = names.get(key.toLowerCase()) ?? key
      return [name, foldNames(shape[name], item)]
    }),
  )
}
