import { defaultConfig } from '../../bundle/default-config.ts'
import { hostConfigOptions } from '../../bundle/host-options.ts'
import { writeRuntimeConfig } from '../../bundle/write-config.ts'

export interface SpecOptions {
  /** The directory that gets the config.json; default `.`. */
  readonly bundle?: string | undefined
  /** Write one that an unprivileged user can run; default false. */
  readonly rootless?: boolean | undefined
  /** Give the program a terminal; default true. Without one it can run in the background, from scripts and with streams. */
  readonly terminal?: boolean | undefined
}

/**
 * Writes the default config.json into a bundle, replacing the one there: after `unpack` or `pull`, `spec` means "run a
 * shell in it, whatever the image says". (runc refuses to replace a file.)
 *
 * @throws OciError `ERR_BUNDLE_INVALID` the bundle is not a directory
 */
export async function spec({ bundle = '.', rootless = false, terminal }: SpecOptions = {}): Promise<void> {
  await writeRuntimeConfig(bundle, defaultConfig({ ...(await hostConfigOptions(rootless)), terminal }))
}
