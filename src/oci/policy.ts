import * as z from 'zod/mini'
import { OciError } from '../errors.ts'
import { check, parseJson } from './document.ts'
import type { DocumentFacts } from './problem.ts'
import type { SignedIdentity } from './signed-identity.ts'

/** The requirements that images must meet, by their source. */
export interface Policy {
  readonly path: string
  readonly fallback: readonly Requirement[]
  /** Requirements by transport (`docker`, `oci` ...) and scope. */
  readonly transports: Readonly<Record<string, Readonly<Record<string, readonly Requirement[]>>>>
}

export type Requirement =
  | { readonly type: 'insecureAcceptAnything' }
  | { readonly type: 'reject' }
  | SigstoreSigned
  /** A requirement that this tool cannot check; `what` names it in messages. */
  | { readonly type: 'unsupported'; readonly what: string }

/** The requirement of a signature in cosign's format by one of these keys. */
export interface SigstoreSigned {
  readonly type: 'sigstoreSigned'
  readonly keys: readonly KeySource[]
  readonly signedIdentity: SignedIdentity
}

/** A public key in PEM, or the file that contains it. */
export type KeySource = { readonly path: string } | { readonly pem: string }

/**
 * Parses policy.json of containers' tools. Unknown members are errors: ignoring a part of a policy is not safe.
 *
 * @throws OciError `ERR_CONFIG_INVALID`
 * @see containers-policy.json(5)
 */
export function parsePolicy(text: string, path: string): Policy {
  const facts: DocumentFacts = { what: `the policy ${path}`, code: 'ERR_CONFIG_INVALID' }
  const { default: fallback, transports = {} } = check(policySchema, parseJson(text, facts), facts)
  const inScopes = (scopes: Readonly<Record<string, readonly { readonly type: string }[]>>, transport: string) =>
    mapValues(scopes, (list, scope) => toRequirements(list, path, `"${transport}" "${scope}"`))
  return { path, fallback: toRequirements(fallback, path, '"default"'), transports: mapValues(transports, inScopes) }
}

const list = z.array(z.looseObject({ type: z.string() })).check(z.minLength(1, 'must have a requirement'))
const policySchema = z.strictObject({
  default: list,
  transports: z.optional(z.record(z.string(), z.record(z.string(), list))),
})

const signedIdentitySchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.enum(['matchRepoDigestOrExact', 'matchExact', 'matchRepository']) }),
  z.strictObject({ type: z.literal('exactReference'), dockerReference: z.string() }),
  z.strictObject({ type: z.literal('exactRepository'), dockerRepository: z.string() }),
  z.strictObject({ type: z.literal('remapIdentity'), prefix: z.string(), signedPrefix: z.string() }),
])

const base64 = z.string().check(z.regex(/^[A-Za-z0-9+/]+={0,2}$/, 'must be Base64'))
const strings = z.array(z.string()).check(z.minLength(1, 'must not be empty'))
const sigstoreSignedSchema = z.strictObject({
  type: z.literal('sigstoreSigned'),
  keyPath: z.optional(z.string()),
  keyPaths: z.optional(strings),
  keyData: z.optional(base64),
  keyDatas: z.optional(z.array(base64).check(z.minLength(1, 'must not be empty'))),
  signedIdentity: z.optional(signedIdentitySchema),
})

/** Members of `sigstoreSigned` that require certificates or transparency logs, which are not supported. */
const uncheckable = [
  'fulcio',
  'pki',
  'rekorPublicKeyPath',
  'rekorPublicKeyPaths',
  'rekorPublicKeyData',
  'rekorPublicKeyDatas',
]

function toRequirements(items: readonly { readonly type: string }[], path: string, where: string): Requirement[] {
  return items.map((item): Requirement => {
    const facts: DocumentFacts = { what: `a requirement of the policy ${path}, ${where},`, code: 'ERR_CONFIG_INVALID' }
    const { type } = item
    if (type === 'insecureAcceptAnything' || type === 'reject') {
      return { type: check(z.strictObject({ type: z.literal(type) }), item, facts).type }
    }
    if (type !== 'sigstoreSigned') return { type: 'unsupported', what: `"${type}"` }
    const beyond = uncheckable.find((name) => Object.hasOwn(item, name))
    if (beyond !== undefined) return { type: 'unsupported', what: `"sigstoreSigned" with "${beyond}"` }
    return toSigstoreSigned(check(sigstoreSignedSchema, item, facts), facts)
  })
}

function toSigstoreSigned(item: z.infer<typeof sigstoreSignedSchema>, { what, code }: DocumentFacts): SigstoreSigned {
  const { type, keyPath, keyPaths, keyData, keyDatas, signedIdentity = { type: 'matchRepoDigestOrExact' } } = item
  const paths = keyPath === undefined ? keyPaths : [keyPath]
  const data = keyData === undefined ? keyDatas : [keyData]
  const given = [keyPath, keyPaths, keyData, keyDatas].filter((source) => source !== undefined)
  if (given.length !== 1) {
    throw new OciError(code, `${what} must have one of "keyPath", "keyPaths", "keyData" and "keyDatas"`)
  }
  const keys = [...(paths ?? []).map((path) => ({ path })), ...(data ?? []).map((text) => ({ pem: atob(text) }))]
  return { type, keys, signedIdentity }
}

const mapValues = <T, U>(record: Readonly<Record<string, T>>, map: (value: T, key: string) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]))
