import { join } from 'node:path'
import { rootlessUid } from '../oci/user-namespace.ts'

/**
 * The default path of the store: /var/lib/bundle-tool for root, else `$XDG_DATA_HOME/bundle-tool`, where XDG_DATA_HOME
 * defaults to `~/.local/share`. A user who is root inside `unshare`, `podman unshare` or `buildah unshare` keeps the
 * user's own path.
 */
export function defaultStorePath(env: NodeJS.ProcessEnv): string {
  const euid = process.geteuid?.() ?? 0
  const uid = euid === 0 ? Number(env[rootlessUid] ?? 0) : euid
  if (uid === 0) return '/var/lib/bundle-tool'
  const data = env.XDG_DATA_HOME || join(env.HOME ?? '/', '.local/share')
  return join(data, 'bundle-tool')
}
