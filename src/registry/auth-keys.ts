/** Hosts that are all Docker Hub, in files of credentials and as registries. */
const hubHosts = ['docker.io', 'index.docker.io', 'registry-1.docker.io']

/** The keys that docker and podman themselves write for a registry as a whole, the one to write under first. */
export function registryKeys(registry: string): readonly string[] {
  return hubHosts.includes(registry) ? ['https://index.docker.io/v1/', ...hubHosts] : [registry]
}

/**
 * The keys of a table that stand for a registry as a whole, best first: as they are written today, then those that say the same
 * in another form. A key may begin with `http://` or `https://`, which makes a host of it whatever path follows, or end with
 * `/`, `/v1/` or `/v2/`; any other path means one part of a registry (`pathKeys`).
 *
 * @see containers-auth.json(5) "FORMAT"; docker/cli `ConvertToHostname`
 */
export function keysOf(registry: string, table: Readonly<Record<string, unknown>>): readonly string[] {
  const exact = registryKeys(registry).filter((key) => Object.hasOwn(table, key))
  const others = Object.keys(table).filter(
    (key) => !exact.includes(key) && canonical(hostOf(key)) === canonical(registry),
  )
  return [...exact, ...others]
}

/** `host/a/b`, `host/a`: the keys of containers' auth.json that are longer than a host, the longest first. */
export function pathKeys(registry: string, repository: string): readonly string[] {
  const parts = repository === '' ? [] : repository.split('/')
  return parts.map((_, index) => [registry, ...parts.slice(0, parts.length - index)].join('/'))
}

const hostOf = (key: string): string =>
  /^https?:/i.test(key) ? key.replace(/^https?:\/\//i, '').replace(/\/.*/s, '') : key.replace(/\/(v[12]\/?)?$/, '')

const canonical = (host: string): string => (hubHosts.includes(host.toLowerCase()) ? 'docker.io' : host.toLowerCase())
