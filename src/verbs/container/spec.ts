import { basename, resolve } from 'node:path'
import { applyChanges } from '../../bundle/changes/apply-changes.ts'
import type { ConfigChanges } from '../../bundle/changes/config-changes.ts'
import { nameFilesOf } from '../../bundle/changes/names.ts'
import { surroundingsOf } from '../../bundle/changes/surroundings.ts'
import { defaultConfig } from '../../bundle/default-config.ts'
import { hostConfigOptions } from '../../bundle/host-options.ts'
import { writeBundleFiles, writeRuntimeConfig } from '../../bundle/write-config.ts'
import { parseSignal } from '../../runtime/signal.ts'
import { engineSeccomp } from './engine-seccomp.ts'

export interface SpecOptions {
  /** The directory that gets the config.json; default `.`. */
  readonly bundle?: string | undefined
  /** Write one that an unprivileged user can run; default false. */
  readonly rootless?: boolean | undefined
  /** Give the program a terminal; default true. Without one it can run in the background, from scripts and with streams. */
  readonly terminal?: boolean | undefined
  /** Changes of the default config.json; `terminal` is its `tty`. */
  readonly changes?: ConfigChanges | undefined
  /** Where `env` of the changes finds the values of names; default: the environment of the process. */
  readonly env?: NodeJS.ProcessEnv | undefined
}

/**
 * Writes the default config.json into a bundle, replacing the one there: after `unpack` or `pull`, `spec` means "run a
 * shell in it, whatever the image says". (runc refuses to replace a file.)
 *
 * @throws OciError `ERR_BUNDLE_INVALID` the bundle is not a directory; `ERR_USAGE`, `ERR_USER_UNKNOWN` naming the change
 */
export async function spec(options: SpecOptions = {}): Promise<void> {
  const { bundle = '.', rootless = false, terminal, changes = {}, env } = options
  const base = defaultConfig({ ...(await hostConfigOptions(rootless)), terminal })
  const seccompProfile = await engineSeccomp({ env })
  const around = surroundingsOf({ env, parseSignal, seccompProfile, bundleName: basename(resolve(bundle)) })
  const surroundings = around(resolve(bundle, base.root.path))
  const config = applyChanges(base, changes, surroundings)
  await writeBundleFiles(bundle, nameFilesOf(config, surroundings))
  await writeRuntimeConfig(bundle, config)
}
