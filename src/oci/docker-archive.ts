import * as z from 'zod/mini'
import { check, parseJson } from './document.ts'
import type { DocumentFacts } from './problem.ts'

const names = z._default(z.array(z.string()), [])
const entry = z.object({ Config: z.string(), RepoTags: names, Layers: names })

/** One image in the `manifest.json` of `docker save`; `Config` and `Layers` are names of members of the archive. */
export type DockerArchiveEntry = z.infer<typeof entry>

/**
 * Parses the `manifest.json` of a docker archive.
 *
 * @param what names it in errors
 * @throws OciError `ERR_SOURCE_INVALID` with every problem
 * @see moby image/spec/v1.2.md "Combined Image JSON + Filesystem Changeset Format"
 */
export function parseDockerArchive(content: Uint8Array, what: string): readonly DockerArchiveEntry[] {
  const facts: DocumentFacts = { what, code: 'ERR_SOURCE_INVALID' }
  return check(z.array(entry), parseJson(content, facts), facts)
}
