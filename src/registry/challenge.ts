/** One authentication challenge of a server. */
export interface Challenge {
  /** `bearer`, `basic` ..., in lower case. */
  readonly scheme: string
  /** Parameter names in lower case. */
  readonly parameters: Readonly<Record<string, string>>
}

const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const parameter = /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y

/**
 * Parses `WWW-Authenticate` headers, including several challenges in one header; text that does not parse ends the
 * list.
 *
 * @see RFC 9110 11.6.1
 */
export function parseChallenges(header: string | readonly string[] | undefined): Challenge[] {
  const headers = header === undefined ? [] : typeof header === 'string' ? [header] : header
  return headers.flatMap(parseHeader)
}

function parseHeader(text: string): Challenge[] {
  const challenges: Challenge[] = []
  let position = 0
  while (position < text.length) {
    position += /^[\s,]*/.exec(text.slice(position))?.[0].length ?? 0
    token.lastIndex = position
    const scheme = token.exec(text)?.[0]
    if (scheme === undefined) break
    position += scheme.length
    const parameters: Record<string, string> = Object.create(null)
    for (;;) {
      parameter.lastIndex = position
      const match = parameter.exec(text)
      if (match === null) break
      parameters[(match[1] ?? '').toLowerCase()] = match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? ''
      position = parameter.lastIndex
    }
    challenges.push({ scheme: scheme.toLowerCase(), parameters: { ...parameters } })
  }
  return challenges
}
