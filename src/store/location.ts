import { join } from 'node:path'

/**
 * Where the store is when no option says so: /var/lib/bundle-tool for root, else `$XDG_DATA_HOME/bundle-tool`, which
 * defaults to `~/.local/share/bundle-tool`.
 */
export function defaultStorePath(env: NodeJS.ProcessEnv, euid: number): string {
  if (euid === 0) return '/var/lib/bundle-tool'
  const data = env.XDG_DATA_HOME || join(env.HOME ?? '/', '.local/share')
  return join(data, 'bundle-tool')
}
