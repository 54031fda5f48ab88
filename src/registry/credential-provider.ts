/**
 * Credentials for a registry: a user name and a password, a token that stands for both at the token server
 * (`identity-token`), or one that the registry itself accepts (`registry-token`).
 */
export type Credentials = (
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  | { readonly kind: 'registry-token'; readonly token: string }
  | { readonly kind: 'identity-token'; readonly token: string }
) & {
  /** The option or the file that the credentials come from, for messages. */
  readonly from?: string | undefined
}

/**
 * Looks up the credentials for a repository of a registry (`docker.io`, `localhost:5000`); undefined means anonymous.
 */
export type CredentialProvider = (registry: string, repository?: string) => Promise<Credentials | undefined>
