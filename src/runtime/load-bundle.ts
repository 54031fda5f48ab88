import { resolve } from 'node:path'
import { isSystemError, OciError } from '../errors.ts'
import { Door } from '../host/door.ts'
import { invalidConfig, maxRuntimeConfigBytes, parseRuntimeConfig, type RuntimeConfig } from '../oci/runtime-config.ts'
import { runtimeConfigProblems } from '../oci/runtime-config-rules.ts'
import { absolutePath, checkPathIsText } from '../state-root.ts'
import { exactText } from '../text.ts'

export interface Bundle {
  /** Absolute path of the bundle. */
  readonly directory: string
  readonly config: RuntimeConfig
  /** The permissions of the rootfs directory. */
  readonly rootfsMode: number
}

export interface LoadOptions {
  /** The file to read instead of config.json of the bundle. */
  readonly configFile?: string | undefined
  readonly door?: Door
  readonly onUnknown?: (pointer: string) => void
}

/**
 * Reads a bundle's config.json and checks its fields against each other, and that its rootfs is a directory.
 *
 * @throws OciError `ERR_BUNDLE_INVALID` no bundle, no config.json, or no rootfs; `ERR_CONFIG_INVALID`
 */
export function loadBundle(path: string, { configFile, door = new Door(), onUnknown }: LoadOptions = {}): Bundle {
  const directory = absolutePath(path)
  checkPathIsText('the bundle', directory)
  const config = readConfig(directory, { configFile, door, ...(onUnknown && { onUnknown }) })
  const problems = runtimeConfigProblems(config)
  if (problems.length > 0) throw invalidConfig(problems)
  return { directory, config, rootfsMode: rootfsMode(resolve(directory, config.root.path), door) }
}

/**
 * Reads a bundle's config.json.
 *
 * @throws OciError `ERR_BUNDLE_INVALID`, `ERR_CONFIG_INVALID`
 */
export function readConfig(
  directory: string,
  { configFile, door = new Door(), onUnknown }: LoadOptions = {},
): RuntimeConfig {
  return parseRuntimeConfig(readConfigText(configFile ?? `${directory}/config.json`, door), onUnknown)
}

/**
 * Reads the text of a config.json.
 *
 * @throws OciError `ERR_BUNDLE_INVALID`
 */
export function readConfigText(path: string, door: Door = new Door()): string {
  try {
    return exactText(door.read(path, maxRuntimeConfigBytes))
  } catch (cause) {
    if (cause instanceof OciError) throw new OciError('ERR_BUNDLE_INVALID', cause.message, { cause })
    if (!isSystemError(cause)) throw cause
    throw new OciError(
      'ERR_BUNDLE_INVALID',
      `JSON specification file ${path}${cause.code === 'ENOENT' ? ' not found' : `: ${cause.code}`}`,
      {
        cause,
        hint: 'make a bundle with "bundle-tool pull IMAGE --out bundle" and name it with "-b bundle", or write a config.json with "bundle-tool spec"',
      },
    )
  }
}

const [fileType, directoryType, linkType] = [0o170000n, 0o040000n, 0o120000n]

/**
 * The permissions of the rootfs, which must be a directory. A symlink is refused: it could be changed between this check and the mount.
 */
function rootfsMode(rootfs: string, door: Door): number {
  const mode = door.place(rootfs)?.mode
  const type = mode === undefined ? undefined : mode & fileType
  if (mode !== undefined && type === directoryType) return Number(mode & 0o7777n)
  const what = type === undefined ? 'does not exist' : type === linkType ? 'is a symbolic link' : 'is not a directory'
  throw new OciError('ERR_BUNDLE_INVALID', `the rootfs "${rootfs}" ${what}`, {
    pointer: '/root/path',
    hint: 'unpack an image there, or correct root.path in config.json',
  })
}
