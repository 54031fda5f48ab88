/** A URL fit for an error message: no user, password, query or fragment, which may hold signatures and tokens. */
export function redactUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}${url.search === '' ? '' : '?...'}`
}

/** Server text fit for an error message: one line, no control characters, bounded, URLs' queries and credentials removed. */
export function redactText(text: string): string {
  return text
    .replace(/[\u0000-\u001f\u007f]+/g, ' ')
    .replace(/(https?:\/\/)[^\s/@"']*@/gi, '$1')
    .replace(/\?[^\s"']+/g, '?...')
    .replace(/\b(bearer|basic)\s+[\w.~+/=-]+/gi, '$1 ...')
    .trim()
    .slice(0, 300)
}
