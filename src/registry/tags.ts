import { OciError } from '../errors.ts'
import { parseJsonIfAny } from '../oci/json.ts'
import { connect } from './connection.ts'
import type { ConnectionOptions } from './connection-options.ts'
import { readBody } from './http.ts'
import { nextPage } from './link.ts'
import { redactUrl } from './redact.ts'
import type { Endpoint } from './registries-conf.ts'

const maxPages = 1000
const maxPageBytes = 16 * 1024 * 1024

/**
 * The tags of a repository, in the registry's order, each once. A list that continues at a page that it has had ends there,
 * with a warning: some registries name the last page as the next one.
 *
 * @throws OciError `ERR_IMAGE_NOT_FOUND` there is no such repository; `ERR_REGISTRY` the answer is not a list of tags,
 *   or continues on another host
 * @see distribution-spec v1.1.1 "Listing Tags"
 */
export async function fetchTags(endpoint: Endpoint, options: ConnectionOptions): Promise<string[]> {
  const connection = connect(endpoint, options)
  const tags = new Set<string>()
  const pages = new Set<string>()
  try {
    let response = await connection.get('tags/list')
    for (let page = 0; page < maxPages; page++) {
      pages.add(response.url.href)
      for (const tag of parseTags(await readBody(response, maxPageBytes, options.signal), response.url)) tags.add(tag)
      const next = nextPage(response)
      if (next === undefined) return [...tags]
      if (pages.has(next.href)) {
        options.warn?.(`${redactUrl(response.url)} names a page as the next one that it has had; the list ends there`)
        return [...tags]
      }
      response = await connection.send({ path: next })
    }
    throw new OciError('ERR_LIMIT_EXCEEDED', `${redactUrl(response.url)} has more than ${maxPages} pages of tags`)
  } finally {
    await connection.close()
  }
}

function parseTags(body: Buffer, url: URL): string[] {
  const value = parseJsonIfAny(body.toString('utf8'))
  const tags: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'tags') : undefined
  if (tags === null) return []
  if (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')) return tags
  throw new OciError('ERR_REGISTRY', `${redactUrl(url)} answers with something other than a list of tags`)
}
