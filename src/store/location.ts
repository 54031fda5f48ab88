import { join } from 'node:path'
import { rootlessUid } from '../oci/user-namespace.ts'

/**
 * Where the store is when no option says so: /var/lib/bundle-tool for root, else `$XDG_DATA_HOME/bundle-tool`, which
 * defaults to `~/.local/share/bundle-tool`. The root that `unshare`, `podman unshare` or `buildah unshare` make of a user
 * has the user's own.
 */
export function defaultStorePath(env: NodeJS.ProcessEnv): string {
  const euid = process.geteuid?.() ?? 0
  const uid = euid === 0 ? Number(env[rootlessUid] ?? 0) : euid
  if (uid === 0) return '/var/lib/bundle-tool'
  const data = env.XDG_DATA_HOME || join(env.HOME ?? '/', '.local/share')
  return join(data, 'bundle-tool')
}
