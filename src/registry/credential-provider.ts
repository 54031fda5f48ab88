/** Who a registry is told we are: a name and a password, or a token that stands for both at the token server. */

export type Credentials = (
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  | { readonly kind: 'identity-token'; readonly token: string }
) & {
  /** The option or the file that they are from, for messages. */
  readonly from?: string | undefined
}
/** Looks up what to tell a registry (`docker.io`, `localhost:5000`) about a repository; undefined means anonymous. */
export type CredentialProvider = (registry: string, repository?: string) => Promise<Credentials | undefined>
