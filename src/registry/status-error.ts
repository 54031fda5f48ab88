import { type ErrorCode, isSystemError, OciError } from '../errors.ts'
import { parseJsonIfAny } from '../oci/json.ts'
import { type HttpResponse, maxErrorBytes, readBody } from './http.ts'
import { ProxyRefusal } from './proxy.ts'
import { redactText, redactUrl } from './redact.ts'
import { isTransientStatus } from './retry.ts'

/** The error for a response other than 2xx. */
class StatusError extends OciError {
  readonly status: number
  readonly isTransient: boolean
  readonly retryAfter: string | undefined

  constructor(code: ErrorCode, message: string, response: HttpResponse, hint: string | undefined) {
    super(code, message, { hint })
    this.status = response.status
    this.isTransient = isTransientStatus(response.status)
    this.retryAfter = response.header('retry-after')
  }
}

/** Makes the error for a response other than 2xx, with the text of its body. */
export async function statusError(
  response: HttpResponse,
  { method, hint }: { readonly method: string; readonly hint?: string | undefined },
): Promise<OciError> {
  const { status } = response
  const said = errorText(await readBody(response, maxErrorBytes))
  const what = `${method} ${redactUrl(response.url)}: ${status}${said === '' ? '' : ` ${said}`}`
  return new StatusError(codeOf(status), what, response, hint)
}

function codeOf(status: number): ErrorCode {
  if (status === 404) return 'ERR_IMAGE_NOT_FOUND'
  return status === 401 || status === 403 ? 'ERR_REGISTRY_AUTH' : 'ERR_REGISTRY'
}

/** True when the same request may succeed later: after a broken connection, or a status of that kind. */
export function isTransient(error: unknown): boolean {
  if (error instanceof ProxyRefusal) return isTransientStatus(error.status)
  if (error instanceof StatusError) return error.isTransient
  if (!(error instanceof OciError) || error.code !== 'ERR_NETWORK') return false
  const { cause } = error
  const first: unknown = cause instanceof AggregateError ? cause.errors[0] : cause
  const isHopeless = isSystemError(first, 'ENOTFOUND', 'ECONNREFUSED', 'EPROTO') || isTlsProblem(first)
  return !isHopeless
}

/** The HTTP status of an error that stands for a response, or undefined. */
export const statusOf = (error: unknown): number | undefined =>
  error instanceof StatusError ? error.status : undefined

/** The header Retry-After of an error that stands for a response, or undefined. */
export const retryAfterOf = (error: unknown): string | undefined =>
  error instanceof StatusError ? error.retryAfter : undefined

const isTlsProblem = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  /^ERR_(SSL|TLS)|CERT|SELF_SIGNED|ISSUER|UNABLE_TO_VERIFY/.test(String(error.code))

/** The text of a registry's error document: its codes as received, and their messages. */
function errorText(body: Buffer): string {
  const value = parseJsonIfAny(body.toString('utf8'))
  const errors: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'errors') : undefined
  if (!Array.isArray(errors)) return ''
  const texts = errors.map((error: unknown) => {
    const { code, message } = { code: '', message: '', ...(typeof error === 'object' ? error : {}) }
    return [code, message].filter((part) => typeof part === 'string' && part !== '').join(': ')
  })
  return redactText(texts.filter((text) => text !== '').join('; '))
}
