import { lstatSync, readFileSync, type Stats } from 'node:fs'
import { resolve } from 'node:path'
import { isSystemError, OciError } from '../errors.ts'
import { invalidConfig, parseRuntimeConfig, type RuntimeConfig } from '../oci/runtime-config.ts'
import { runtimeConfigProblems } from '../oci/runtime-config-rules.ts'

export interface Bundle {
  /** Absolute. */
  readonly directory: string
  readonly config: RuntimeConfig
}

/**
 * Reads a bundle's config.json and checks its fields against each other, and that its rootfs is a directory.
 *
 * @throws OciError `ERR_BUNDLE_INVALID` no bundle, no config.json, or no rootfs; `ERR_CONFIG_INVALID`
 */
export function loadBundle(path: string, onUnknown?: (pointer: string) => void): Bundle {
  const directory = resolve(path)
  const config = readConfig(directory, onUnknown)
  const problems = runtimeConfigProblems(config)
  if (problems.length > 0) throw invalidConfig(problems)
  checkRootfs(resolve(directory, config.root.path))
  return { directory, config }
}

/**
 * Reads a bundle's config.json.
 *
 * @throws OciError `ERR_BUNDLE_INVALID`, `ERR_CONFIG_INVALID`
 */
export function readConfig(directory: string, onUnknown?: (pointer: string) => void): RuntimeConfig {
  return parseRuntimeConfig(readConfigText(directory), onUnknown)
}

function readConfigText(directory: string): string {
  try {
    return readFileSync(`${directory}/config.json`, 'utf8')
  } catch (cause) {
    if (!isSystemError(cause, 'ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR')) throw cause
    throw new OciError('ERR_BUNDLE_INVALID', `JSON specification file ${directory}/config.json: ${cause.code}`, {
      cause,
      hint: 'name a bundle with --bundle, or make its config.json with "bundle-tool spec"',
    })
  }
}

/** A link could be turned to anything between this check and the mount. */
function checkRootfs(rootfs: string): void {
  const found = statOrUndefined(rootfs)
  if (found?.isDirectory()) return
  const what =
    found === undefined ? 'does not exist' : found.isSymbolicLink() ? 'is a symbolic link' : 'is no directory'
  throw new OciError('ERR_BUNDLE_INVALID', `the rootfs "${rootfs}" ${what}`, {
    pointer: '/root/path',
    hint: 'unpack an image there, or correct root.path in config.json',
  })
}

function statOrUndefined(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}
