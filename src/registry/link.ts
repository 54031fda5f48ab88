import { OciError } from '../errors.ts'
import { type HttpResponse, parseUrl } from './http.ts'
import { redactUrl } from './redact.ts'

const target = /[\s,]*<([^>]*)>/y
const parameter = /\s*;\s*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*)))?)?/y

/**
 * Finds the target of the link with the relation `next`; undefined when there is none. Of several parameters `rel` of a link the
 * first one counts, which may have several types, in any case.
 *
 * @param header the value of `Link`, with any number of links
 * @throws OciError `ERR_REGISTRY` the value is malformed: it may have the link to the next page
 * @see RFC 8288 section 3
 */
export function nextLink(header: string): string | undefined {
  return parseLinks(header).find(({ types }) => types.includes('next'))?.target
}

interface Link {
  readonly target: string
  readonly types: readonly string[]
}

function parseLinks(text: string): Link[] {
  const links: Link[] = []
  let position = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position
    const match = pattern.exec(text)
    if (match !== null) position = pattern.lastIndex
    return match
  }
  while (!/^[\s,]*$/.test(text.slice(position))) {
    const found = take(target)
    if (found === null) throw noLink(text)
    let types: readonly string[] | undefined
    for (let match = take(parameter); match !== null; match = take(parameter)) {
      const [, name = '', quoted, plain = ''] = match
      if (name.toLowerCase() !== 'rel') continue
      types ??= (quoted?.replace(/\\(.)/g, '$1') ?? plain).toLowerCase().split(/\s+/)
    }
    if (!/^\s*(,|$)/.test(text.slice(position))) throw noLink(text)
    links.push({ target: found[1] ?? '', types: types ?? [] })
  }
  return links
}

const noLink = (text: string): OciError =>
  new OciError('ERR_REGISTRY', `the header "Link: ${text.slice(0, 200)}" is malformed; the list may be incomplete`)

/**
 * The URL of the next page of a list; undefined after the last one. It must be on the same host, or credentials would go to
 * another.
 * @throws OciError `ERR_REGISTRY`
 */
export function nextPage(response: HttpResponse): URL | undefined {
  const target = nextLink(response.headers('link').join(', '))
  if (target === undefined) return undefined
  const url = parseUrl(target, response.url)
  if (url !== undefined && url.origin === response.url.origin) return url
  throw new OciError('ERR_REGISTRY', `${redactUrl(response.url)} continues its list on another host; refused`)
}
