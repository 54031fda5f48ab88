import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { containersConf, seccompProfiles } from '../../engine/containers-conf.ts'
import { rootlessUid } from '../../oci/user-namespace.ts'
import { filesOf, readConfigFile } from './engine-files.ts'

interface Caller {
  readonly env?: NodeJS.ProcessEnv | undefined
  /** Called with each path on which the answer depends. */
  readonly onLook?: ((path: string) => void) | undefined
}

/**
 * Finds the seccomp profile that podman uses on this host: the one that containers.conf names, else one of containers-common.
 *
 * @returns its path, `unconfined` where the host wants no filter, or undefined where there is none
 * @throws OciError `ERR_ENGINE_CONFIG`, `ERR_PERMISSION`
 */
export async function engineSeccomp({ env = process.env, onLook = () => {} }: Caller): Promise<string | undefined> {
  const patterns = configPatterns(env, onLook)
  const files = filesOf(patterns)
  const places = patterns.map((path) => (path.endsWith('/*.conf') ? dirname(path) : path))
  for (const path of new Set([...places, ...files, ...seccompProfiles])) onLook(path)
  const texts = files.map(readConfigFile).filter((text) => /^\s*seccomp_profile\b/m.test(text))
  const named =
    texts.length === 0 ? undefined : (await import('../../engine/seccomp-profile.ts')).namedSeccompProfile(texts)
  return named ?? seccompProfiles.find((path) => existsSync(path))
}

/** A user's files come behind those of the system. @see containers.conf(5) "FILES" */
function configPatterns(env: NodeJS.ProcessEnv, onLook: (path: string) => void): readonly string[] {
  const { CONTAINERS_CONF: only, CONTAINERS_CONF_OVERRIDE: last } = env
  return [...(only ? [only] : [...containersConf, ...ownPatterns(env, onLook)]), ...(last ? [last] : [])]
}

/** None for root, whose HOME may be that of another user, nor for a user who may not look into what HOME says. */
function ownPatterns(env: NodeJS.ProcessEnv, onLook: (path: string) => void): readonly string[] {
  const isUser = process.geteuid?.() !== 0 || Number(env[rootlessUid] ?? 0) !== 0
  const home = env.XDG_CONFIG_HOME || (env.HOME && join(env.HOME, '.config'))
  if (!isUser || !home) return []
  const directory = join(home, 'containers')
  onLook(directory)
  return existsSync(directory)
    ? ['containers.conf', 'containers.conf.d/*.conf'].map((name) => join(directory, name))
    : []
}
