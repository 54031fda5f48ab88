import { OciError } from '../errors.ts'
import { formatExactJson, parseExactJson } from '../oci/json.ts'
import { parseRuntimeConfig, type RuntimeConfig } from '../oci/runtime-config.ts'
import { mergeDocument } from './changes/merge-document.ts'

/**
 * Changes the text of a config.json: members that the specification does not know stay, and so do the order of all, the
 * indentation and the line feed at the end.
 *
 * @throws OciError `ERR_CONFIG_INVALID` it was not valid before
 */
export function editConfigText(text: string, change: (config: RuntimeConfig) => RuntimeConfig): string {
  const before = parseRuntimeConfig(text)
  const after = change(before)
  const document = parseExactJson(text, { keepsNull: true })
  const [, indent = text.includes('\n') ? '\t' : ''] = /^\s*\{\r?\n([ \t]+)"/.exec(text) ?? []
  const changed = formatExactJson(mergeDocument(document, before, after), indent) + (text.endsWith('\n') ? '\n' : '')
  parseChanged(changed)
  return changed
}

/** A config.json that no command would read again is not written. */
function parseChanged(text: string): void {
  try {
    parseRuntimeConfig(text)
  } catch (cause) {
    if (!(cause instanceof OciError)) throw cause
    throw new OciError(cause.code, `with these changes ${cause.message}`, { pointer: cause.pointer, cause })
  }
}
