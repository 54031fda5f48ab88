import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isSystemError } from '../errors.ts'
import { configDirectory } from './home-directory.ts'

/**
 * The files and directories, there or not, that decide which images may be used and what their short names stand for: with
 * these as they were, the same name means the same image.
 *
 * @param policy the file that was named in place of policy.json
 */
export function lookedUpFiles(env: NodeJS.ProcessEnv, policy: string | undefined): readonly string[] {
  const own = join(configDirectory(env), 'containers')
  const directories = [own, '/etc/containers']
  return [
    ...(policy === undefined ? directories.map((directory) => join(directory, 'policy.json')) : [policy]),
    ...directories.flatMap((directory) => [
      join(directory, 'registries.conf'),
      ...withEntries(join(directory, 'registries.conf.d')),
    ]),
    ...(env.CONTAINERS_REGISTRIES_CONF ? [env.CONTAINERS_REGISTRIES_CONF] : []),
  ]
}

function withEntries(directory: string): readonly string[] {
  try {
    return [directory, ...readdirSync(directory).map((name) => join(directory, name))]
  } catch (error) {
    if (!isSystemError(error)) throw error
    return [directory]
  }
}
