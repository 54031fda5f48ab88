import { join } from 'node:path'

/**
 * Whose the store and the configuration are: the caller, also for the root that `unshare`, `podman unshare` or `buildah
 * unshare` make of the caller.
 */
export function callerUid(env: NodeJS.ProcessEnv): number {
  const euid = process.geteuid?.() ?? 0
  return euid === 0 ? Number(env[rootlessUid] ?? 0) : euid
}

/** As containers' tools tell each other. @see https://github.com/containers/storage pkg/unshare "GetRootlessUID" */
export const rootlessUid = '_CONTAINERS_ROOTLESS_UID'

/**
 * Where the store is when no option says so: /var/lib/bundle-tool for root, else `$XDG_DATA_HOME/bundle-tool`, which
 * defaults to `~/.local/share/bundle-tool`.
 */
export function defaultStorePath(env: NodeJS.ProcessEnv, euid: number): string {
  if (euid === 0) return '/var/lib/bundle-tool'
  const data = env.XDG_DATA_HOME || join(env.HOME ?? '/', '.local/share')
  return join(data, 'bundle-tool')
}
