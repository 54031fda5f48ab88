import { OciError } from '../errors.ts'
import { parseJsonIfAny } from '../oci/json.ts'
import { parseChallenges } from './challenge.ts'
import type { Credentials } from './credential-provider.ts'
import { checkHop, type HttpClient, type HttpResponse, maxErrorBytes, parseUrl, readBody } from './http.ts'
import { redactUrl } from './redact.ts'
import { describeCredentials, refusedCredentials } from './refused-credentials.ts'

export interface AuthorizeOptions {
  readonly http: HttpClient
  readonly registry: string
  /**
   * Scope such as `repository:library/ubuntu:pull`, used when the challenge names none. Undefined requests no access,
   * only a check of the credentials.
   */
  readonly scope: string | undefined
  readonly credentials: Credentials | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * The value of the Authorization header that answers the challenges of a 401 response.
 * @throws OciError `ERR_REGISTRY_AUTH` no challenge can be met, or the token server refuses
 * @see distribution-spec v1.1.1; distribution "Token Authentication Specification"
 */
export async function answerChallenge(response: HttpResponse, options: AuthorizeOptions): Promise<string> {
  const challenges = parseChallenges(response.headers('www-authenticate'))
  const { credentials, registry } = options
  const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.realm !== undefined)
  if (credentials?.kind === 'registry-token' && challenges.some(({ scheme }) => scheme === 'bearer')) {
    return `Bearer ${credentials.token}`
  }
  if (bearer !== undefined) return `Bearer ${await fetchToken(bearer.parameters, response.url, options)}`
  if (challenges.some(({ scheme }) => scheme === 'basic')) {
    if (credentials?.kind === 'password') return basic(credentials)
    throw new OciError(
      'ERR_REGISTRY_AUTH',
      `${registry} requires a user name and a password, but none are configured`,
      {
        hint: `run "bundle-tool login ${registry}"`,
      },
    )
  }
  const offered = challenges.map(({ scheme }) => scheme).join(', ') || 'no scheme'
  throw new OciError('ERR_REGISTRY_AUTH', `${registry} requires authorization by ${offered}, which is not supported`)
}

async function fetchToken(
  parameters: Readonly<Record<string, string>>,
  from: URL,
  options: AuthorizeOptions,
): Promise<string> {
  const realm = parseUrl(parameters.realm ?? '')
  if (realm === undefined)
    throw new OciError('ERR_REGISTRY_AUTH', `${options.registry} names a token server that is not a URL`)
  checkHop(from, realm, 'names the token server')
  const response = await askToken(
    realm,
    // An empty parameter is as good as none: Artifactory and others send service="" and scope="".
    { service: parameters.service || undefined, scope: parameters.scope || options.scope },
    options,
  )
  const body = await readBody(response, maxErrorBytes, options.signal)
  if (response.status !== 200) throw tokenRefused(response.status, realm, options)
  return readToken(body, realm)
}

function tokenRefused(status: number, realm: URL, { registry, credentials }: AuthorizeOptions): OciError {
  const server = `token server ${redactUrl(realm)}`
  const isRefusal = status === 401 || status === 403
  if (isRefusal && credentials !== undefined) {
    return refusedCredentials(registry, credentials, `its ${server} answers ${status}`)
  }
  const who = credentials === undefined ? 'without credentials' : `with ${describeCredentials(credentials)}`
  return new OciError(
    isRefusal ? 'ERR_REGISTRY_AUTH' : 'ERR_REGISTRY',
    `${server} of ${registry} answers ${status} ${who}`,
    { hint: `check the name of the image, or run "bundle-tool login ${registry}"` },
  )
}

async function askToken(
  realm: URL,
  { service, scope }: { readonly service: string | undefined; readonly scope: string | undefined },
  { http, credentials, signal }: AuthorizeOptions,
): Promise<HttpResponse> {
  const fields = new URLSearchParams({
    ...(service !== undefined && { service }),
    ...(scope !== undefined && { scope }),
  })
  if (credentials?.kind === 'identity-token') {
    fields.set('grant_type', 'refresh_token')
    fields.set('client_id', 'bundle-tool')
    fields.set('refresh_token', credentials.token)
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    return http.send(realm, { method: 'POST', body: fields.toString(), headers, signal, refusesRedirects: true })
  }
  const url = new URL(realm)
  for (const [name, value] of fields) {
    for (const word of name === 'scope' ? value.split(' ') : [value]) url.searchParams.append(name, word)
  }
  return http.send(url, { authorization: credentials?.kind === 'password' ? basic(credentials) : undefined, signal })
}

function readToken(body: Buffer, realm: URL): string {
  const value = parseJsonIfAny(body.toString('utf8'))
  const fields = typeof value === 'object' && value !== null ? { ...value } : {}
  for (const key of ['token', 'access_token'] as const) {
    const token: unknown = Reflect.get(fields, key)
    if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token
  }
  throw new OciError('ERR_REGISTRY_AUTH', `token server ${redactUrl(realm)} answers without a token`)
}

function basic({ username, password }: Extract<Credentials, { kind: 'password' }>): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}
