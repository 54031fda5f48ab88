/**
 * The meaning of an image name that is not in a registry: a path; a kind of source that this tool reads; or one that only
 * other tools have.
 */
export type PlaceName = 'path' | 'source' | 'foreign'

/** Prefixes before a colon that name a transport: those of `sourceKinds`, and others of containers-transports(5). */
const words: Readonly<Record<string, PlaceName>> = {
  oci: 'source',
  'oci-archive': 'source',
  'docker-archive': 'source',
  'docker-daemon': 'source',
  rootfs: 'source',
  dir: 'foreign',
  'containers-storage': 'foreign',
  ostree: 'foreign',
  sif: 'foreign',
  tarball: 'foreign',
}

const archive = /\.(?:tar|tgz|tar\.(?:gz|xz|zst|bz2))(?::[^/]*)?$/i

/**
 * Distinguishes names of places from names of images in a registry by the text alone: files in the current directory do not
 * change the meaning of a name. An image with such a name needs its registry, as in `docker.io/library/oci:1`.
 *
 * `-` is a path: standard input.
 * @returns undefined for the name of an image in a registry
 */
export function placeNameKind(text: string): PlaceName | undefined {
  if (text === '-' || /^(?:\.{0,2}\/|\.{1,2}$)/.test(text)) return 'path'
  const word = text.slice(0, Math.max(text.indexOf(':'), 0))
  if (Object.hasOwn(words, word)) return words[word]
  return archive.test(text) && isWithoutRegistry(text) ? 'path' : undefined
}

/** True when a name has no registry in front, by the rule of Docker. */
export function isWithoutRegistry(text: string): boolean {
  const [first = '', ...rest] = text.split('/')
  return rest.length === 0 || !(/[.:A-Z]/.test(first) || first === 'localhost')
}

/** Splits a path from the name after it, at the first colon, as skopeo does. */
export function splitPath(rest: string): [path: string, name: string | undefined] {
  const colon = rest.indexOf(':')
  return colon < 0 ? [rest, undefined] : [rest.slice(0, colon), rest.slice(colon + 1)]
}
