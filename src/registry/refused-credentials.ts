import { OciError } from '../errors.ts'
import type { Credentials } from './credential-provider.ts'

/** Whom a registry was told we are, and where that was said, without any secret. */
export function describeCredentials(credentials: Credentials): string {
  const user = credentials.kind === 'password' ? `user "${credentials.username}"` : 'a token'
  return credentials.from === undefined
    ? `the credentials (${user})`
    : `the credentials of ${credentials.from} (${user})`
}

/**
 * The error that a user name and a password, or the token that stands for them, are not accepted.
 *
 * @param who the registry, or the token server it has sent us to
 * @param said the request and the answer
 */
export function refusedCredentials(who: string, credentials: Credentials, said: string): OciError {
  const isGiven = credentials.from === undefined || credentials.from.startsWith('--')
  return new OciError('ERR_REGISTRY_AUTH', `${who} refuses ${describeCredentials(credentials)}: ${said}`, {
    hint: isGiven ? 'check the user name and the password' : 'log in again with "bundle-tool login"',
  })
}
