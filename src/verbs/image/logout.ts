import { parseRegistry } from '../../oci/reference.ts'
import { authFiles, readAuthFile, writeAuths } from '../../registry/auth-file.ts'
import { eraseInHelper } from '../../registry/credential-helper.ts'
import { registryKeys } from '../../registry/credentials.ts'

export interface LogoutOptions {
  /** The one file to remove credentials from. Default: every file they are looked up in. */
  readonly authFile?: string | undefined
  readonly env?: NodeJS.ProcessEnv | undefined
}

export interface LogoutResult {
  readonly registry: string
  /** Files and helpers that kept credentials of the registry. */
  readonly removedFrom: readonly string[]
}

/** Forgets the credentials of a registry, wherever they would be found. That there are none is no error. */
export async function logout(name: string, options: LogoutOptions = {}): Promise<LogoutResult> {
  const { authFile, env = process.env } = options
  const registry = parseRegistry(name)
  const keys = registryKeys(registry)
  const removedFrom: string[] = []
  for (const path of authFile === undefined ? authFiles(env) : [authFile]) {
    const file = await readAuthFile(path)
    const helper = keys.map((key) => file.helpers[key]).find((found) => found !== undefined) ?? file.store
    if (helper !== undefined) {
      await eraseInHelper(helper, keys[0] ?? registry, env)
      removedFrom.push(`docker-credential-${helper}`)
    }
    const there = keys.filter((key) => Object.hasOwn(file.auths, key))
    if (there.length === 0) continue
    await writeAuths(path, Object.fromEntries(there.map((key) => [key, undefined])))
    removedFrom.push(path)
  }
  return { registry, removedFrom }
}
