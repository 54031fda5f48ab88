import { OciError } from '../errors.ts'
import { placeNameKind } from '../oci/place-name.ts'

/**
 * Refuses a name of a place on this host where a registry's name is required.
 * @param advise returns the hint, one imperative sentence, for a place that this tool reads, given its name for
 *   "unpack"
 * @throws OciError `ERR_REFERENCE_INVALID`
 */
export function checkRegistryName(text: string, advise?: (source: string) => string): void {
  const kind = placeNameKind(text)
  if (kind === undefined) return
  const what = kind === 'path' ? 'a file or directory' : 'a place on this host'
  const source = kind === 'path' && /^[^./].*:/.test(text) ? `docker-archive:${text}` : text
  const hint = kind === 'foreign' ? foreignPlaceHint(text) : advise?.(source)
  throw new OciError('ERR_REFERENCE_INVALID', `"${text}" is ${what}, not an image in a registry`, {
    hint: hint ?? 'name an image in a registry, as in ubuntu:18.04 or docker.io/library/ubuntu:18.04',
  })
}

/** The hint for a place that only other tools read: a copy to one that this tool reads. */
export const foreignPlaceHint = (text: string): string =>
  `copy it with "skopeo copy ${text} oci:DIRECTORY:TAG", and name that`
