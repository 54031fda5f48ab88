import * as z from 'zod/mini'
import { check, parseJson } from './document.ts'
import type { DocumentFacts } from './problem.ts'

const names = z._default(z.array(z.string()), [])
const entry = z.object({ Config: z.string(), RepoTags: names, Layers: names })

/** One image in the `manifest.json` of `docker save`; `Config` and `Layers` are names of members of the archive. */
export type DockerArchiveEntry = z.infer<typeof entry>

/** The members by their names in lower case, as Jib before 2.3 wrote them; Go's decoder takes any case. */
const spelling: Readonly<Record<string, string>> = { config: 'Config', repotags: 'RepoTags', layers: 'Layers' }

/**
 * Parses the `manifest.json` of a docker archive. Names of members count in any case, the exact ones most.
 *
 * @param what names it in errors
 * @throws OciError `ERR_SOURCE_INVALID` with every problem
 * @see moby image/spec/v1.2.md "Combined Image JSON + Filesystem Changeset Format"
 */
export function parseDockerArchive(content: Uint8Array, what: string): readonly DockerArchiveEntry[] {
  const facts: DocumentFacts = { what, code: 'ERR_SOURCE_INVALID', replacesBytes: true }
  const value = parseJson(content, facts)
  return check(z.array(entry), Array.isArray(value) ? value.map(respelled) : value, facts)
}

function respelled(given: unknown): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given
  const renamed = Object.entries(given).map(([name, value]) => [spelling[name.toLowerCase()] ?? name, value])
  return { ...Object.fromEntries(renamed), ...given }
}
