import { OciError } from '../errors.ts'
import { isWithoutRegistry } from '../oci/place-name.ts'
import { parseReference, type Reference } from '../oci/reference.ts'
import { configFiles, readIfThere } from './registries-conf.ts'
import { checkRegistryName } from './registry-name.ts'

/** The settings of registries.conf for names without a registry. */
export interface ShortNames {
  /** Full repository names by short ones. */
  readonly aliases: Readonly<Record<string, string>>
  /** Registries of names without an alias; empty means Docker Hub. */
  readonly searchRegistries: readonly string[]
}

/**
 * Reads an image name as podman does: a short one by the aliases of registries.conf, else in the one registry of
 * `unqualified-search-registries`, else, where none are configured, on Docker Hub. Several registries are never tried
 * in turn: whoever registers a name in the first one would decide which image is run.
 *
 * @throws OciError `ERR_REFERENCE_INVALID` also when there are several registries to search; `ERR_CONFIG_INVALID`
 * @see containers-registries.conf(5) "NAMESPACED [[registry]] SETTINGS", "SHORT-NAME ALIASING"
 */
export async function resolveReference(text: string, env: NodeJS.ProcessEnv, system?: string): Promise<Reference> {
  checkRegistryName(text)
  const reference = parseReference(text)
  if (!isWithoutRegistry(text)) return reference
  return expandShortName(text, reference, await readShortNames(env, system))
}

export function expandShortName(text: string, reference: Reference, names: ShortNames): Reference {
  const { aliases, searchRegistries } = names
  const end = /[:@]/.exec(text)?.index ?? text.length
  const [name, version] = [text.slice(0, end), text.slice(end)]
  const alias = Object.hasOwn(aliases, name) ? aliases[name] : undefined
  if (alias !== undefined) return parseReference(`${alias}${version}`)
  const [registry, ...others] = searchRegistries
  if (registry === undefined) return reference
  if (others.length === 0) return parseReference(`${registry}/${text}`)
  throw new OciError('ERR_REFERENCE_INVALID', `"${text}" could be in any of ${searchRegistries.length} registries`, {
    hint: `write the full name, one of: ${searchRegistries.map((host) => `${host}/${text}`).join(', ')}`,
  })
}

async function readShortNames(env: NodeJS.ProcessEnv, system?: string): Promise<ShortNames> {
  const { parse } = await import('smol-toml')
  let names: ShortNames = { aliases: {}, searchRegistries: [] }
  for (const file of await configFiles(env, system)) {
    const text = await readIfThere(file)
    if (text !== undefined) names = merge(names, parse(text), file)
  }
  return names
}

/**
 * Merges the settings of one more file: a search list replaces the earlier one, aliases are added, and an empty alias
 * removes one.
 */
function merge(names: ShortNames, { aliases, ...rest }: Record<string, unknown>, file: string): ShortNames {
  const search = rest['unqualified-search-registries']
  if (search !== undefined && !isStringList(search)) {
    throw new OciError('ERR_CONFIG_INVALID', `${file}: "unqualified-search-registries" is not a list of strings`)
  }
  const own = typeof aliases === 'object' && aliases !== null ? Object.entries(aliases) : []
  const merged = new Map(Object.entries(names.aliases))
  for (const [name, target] of own) {
    if (typeof target !== 'string') throw new OciError('ERR_CONFIG_INVALID', `${file}: alias "${name}" is not a string`)
    if (target === '') merged.delete(name)
    else merged.set(name, target)
  }
  return { aliases: Object.fromEntries(merged), searchRegistries: search ?? names.searchRegistries }
}

const isStringList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')
