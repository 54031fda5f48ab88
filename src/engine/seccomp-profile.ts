import { parseTable, tableAt } from './toml.ts'

/**
 * The path of the default seccomp profile in texts of containers.conf, of which a later one replaces an earlier one; `unconfined`
 * where there is to be no filter. Undefined where none names one.
 *
 * @see containers.conf(5) "CONTAINERS TABLE"
 */
export function namedSeccompProfile(texts: readonly string[]): string | undefined {
  const named = texts.map((text) => tableAt(parseTable(text, 'containers.conf'), ['containers'])?.seccomp_profile)
  return named.findLast((path): path is string => typeof path === 'string' && path !== '')
}
