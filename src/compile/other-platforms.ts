import { OciError } from '../errors.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import type { CompileContext } from './context.ts'

/** Fields of config.json that are understood and not carried out yet, for `features` too. */
export const unsupportedFields: readonly string[] = [
  '/linux/intelRdt',
  '/linux/mountLabel',
  '/vm',
  '/windows',
  '/solaris',
  '/zos',
]

/**
 * Refuses, all at once, what config.json asks for and this version does not do.
 *
 * @throws OciError `ERR_CONFIG_UNSUPPORTED`, its pointer the first of the fields
 */
export function refuseUnsupported(context: CompileContext): void {
  const fields = unsupportedFields.filter((pointer) => isSet(context.config, pointer))
  const [first] = fields
  if (first === undefined) return
  throw new OciError('ERR_CONFIG_UNSUPPORTED', `not supported yet: ${fields.join(', ')}`, {
    pointer: first,
    hint: 'remove the fields from config.json',
  })
}

function isSet(config: RuntimeConfig, pointer: string): boolean {
  let value: unknown = config
  for (const key of pointer.split('/').slice(1)) {
    if (typeof value !== 'object' || value === null) return false
    value = Object.entries(value).find(([name]) => name === key)?.[1]
  }
  if (value === undefined || value === null || value === '' || value === 0) return false
  if (typeof value === 'object') return Object.keys(value).length > 0
  return true
}
