import { OciError } from '../errors.ts'
import type { Credentials } from './credential-provider.ts'

/** The user of the credentials and their origin, without any secret, for messages. */
export function describeCredentials(credentials: Credentials): string {
  const user = credentials.kind === 'password' ? `user "${credentials.username}"` : 'a token'
  return credentials.from === undefined
    ? `the credentials (${user})`
    : `the credentials of ${credentials.from} (${user})`
}

/**
 * The error for a user name and a password, or a token that stands for them, that are refused.
 * @param who the registry, or the token server that it names
 * @param said the request and the answer
 */
export function refusedCredentials(who: string, credentials: Credentials, said: string): OciError {
  const isGiven = credentials.from === undefined || credentials.from.startsWith('--')
  return new OciError('ERR_REGISTRY_AUTH', `${who} refuses ${describeCredentials(credentials)}: ${said}`, {
    hint: isGiven ? 'check the user name and the password' : 'log in again with "bundle-tool login"',
  })
}
