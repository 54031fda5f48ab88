import { basename, resolve } from 'node:path'
import { applyChanges } from '../../bundle/changes/apply-changes.ts'
import type { ConfigChanges } from '../../bundle/changes/config-changes.ts'
import { type BundleFile, nameFilesOf, withNamesOfOwnNetwork } from '../../bundle/changes/names.ts'
import { surroundingsOf } from '../../bundle/changes/surroundings.ts'
import { defaultConfig } from '../../bundle/default-config.ts'
import { hostConfigOptions } from '../../bundle/host-options.ts'
import { needsUserNamespace } from '../../caller-rights.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { parseSignal } from '../../runtime/signal.ts'
import { engineSeccomp } from '../container/engine-seccomp.ts'

/** Changes for the config.json of an image whose rootfs is not there yet. */
export interface ConfigChanger {
  readonly hasUser: boolean
  readonly change: (config: RuntimeConfig, rootfs: string) => RuntimeConfig
  /** The files beside config.json that a changed config mounts. */
  readonly files: (config: RuntimeConfig) => readonly BundleFile[]
}

interface ChangerOptions {
  readonly out: string
  readonly changes?: ConfigChanges | undefined
  readonly subids?: boolean | undefined
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly onLook?: ((path?: string) => void) | undefined
}

/**
 * Checks changes before anything is fetched for them, as far as that can be done without the rootfs.
 *
 * @throws OciError naming the flag and the value
 */
export async function configChanger({
  changes = {},
  out,
  subids,
  env,
  onLook,
}: ChangerOptions): Promise<ConfigChanger> {
  const seccompProfile = await engineSeccomp({ env, onLook })
  const around = surroundingsOf({ env, parseSignal, seccompProfile, bundleName: basename(resolve(out)), onLook })
  const base = defaultConfig(await hostConfigOptions(subids || needsUserNamespace()))
  applyChanges(base, { ...changes, user: undefined }, around(undefined))
  return {
    hasUser: changes.user !== undefined,
    change: (config, rootfs) => {
      const surroundings = around(rootfs)
      return applyChanges(withNamesOfOwnNetwork(config, surroundings.look), changes, surroundings)
    },
    files: (config) => nameFilesOf(config, around(undefined)),
  }
}
