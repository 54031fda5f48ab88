import { OciError } from '../../errors.ts'
import { parseRegistry } from '../../oci/reference.ts'
import { authFiles, readAuthFile, writeAuths } from '../../registry/auth-file.ts'
import { keysOf, registryKeys } from '../../registry/auth-keys.ts'
import { eraseInHelper } from '../../registry/credential-helper.ts'

export interface LogoutOptions {
  /** The one file to remove credentials from. Default: every file they are looked up in. */
  readonly authFile?: string | undefined
  readonly env?: NodeJS.ProcessEnv | undefined
  /** Told of a credential helper that cannot be run, and so has forgotten nothing. */
  readonly warn?: ((message: string) => void) | undefined
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
  const removedFrom: string[] = []
  for (const path of authFile === undefined ? authFiles(env) : [authFile]) {
    const file = await readAuthFile(path)
    const [helperKey] = keysOf(registry, file.helpers)
    const helper = helperKey === undefined ? file.store : file.helpers[helperKey]
    if (helper !== undefined && (await isErased(helper, registry, options))) {
      removedFrom.push(`docker-credential-${helper}`)
    }
    const there = keysOf(registry, file.auths)
    if (there.length === 0) continue
    await writeAuths(path, Object.fromEntries(there.map((key) => [key, undefined])))
    removedFrom.push(path)
  }
  return { registry, removedFrom }
}

async function isErased(
  helper: string,
  registry: string,
  { env = process.env, warn }: LogoutOptions,
): Promise<boolean> {
  try {
    await eraseInHelper(helper, registryKeys(registry)[0] ?? registry, env)
    return true
  } catch (error) {
    if (!(error instanceof OciError)) throw error
    warn?.(`${error.message}; it forgets nothing`)
    return false
  }
}
