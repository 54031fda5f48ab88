import { basename, resolve } from 'node:path'
import { applyChanges } from '../../bundle/changes/apply-changes.ts'
import type { ConfigChanges } from '../../bundle/changes/config-changes.ts'
import { look } from '../../bundle/changes/host-devices.ts'
import { type BundleFile, changesNames, nameFilesOf, withNamesOfOwnNetwork } from '../../bundle/changes/names.ts'
import { showChanges } from '../../bundle/changes/show-changes.ts'
import { surroundingsOf } from '../../bundle/changes/surroundings.ts'
import { defaultConfig } from '../../bundle/default-config.ts'
import { editConfigText } from '../../bundle/edit-config.ts'
import { hostConfigOptions } from '../../bundle/host-options.ts'
import { withImageDefaults } from '../../bundle/image-defaults.ts'
import { replaceConfigText, writeBundleFiles } from '../../bundle/write-config.ts'
import type { IDMappings, RuntimeConfig } from '../../oci/runtime-config.ts'
import { readConfig, readConfigText } from '../../runtime/load-bundle.ts'
import { parseSignal } from '../../runtime/signal.ts'
import { engineSeccomp } from './engine-seccomp.ts'

export interface ConfigOptions {
  /** The directory of config.json; default `.`. */
  readonly bundle?: string | undefined
  readonly changes?: ConfigChanges | undefined
  /** Where `env` finds the values of names; default: the environment of the process. */
  readonly env?: NodeJS.ProcessEnv | undefined
}

/**
 * Changes a bundle's config.json in place, whole or not at all. Members that no change concerns stay as they are, those that
 * no specification knows too.
 *
 * @throws OciError `ERR_USAGE` naming the change; `ERR_USER_UNKNOWN`, `ERR_BUNDLE_INVALID`, `ERR_CONFIG_INVALID`
 */
export async function config({ bundle = '.', changes = {}, env }: ConfigOptions = {}): Promise<void> {
  const text = readConfigText(`${resolve(bundle)}/config.json`)
  const seccompProfile = await engineSeccomp({ env })
  const around = surroundingsOf({ env, parseSignal, seccompProfile, bundleName: basename(resolve(bundle)) })
  let files: readonly BundleFile[] = []
  const changed = editConfigText(text, (before) => {
    const surroundings = around(resolve(bundle, before.root.path))
    const after = applyChanges(before, changes, surroundings)
    if (changesNames(changes)) files = nameFilesOf(after, surroundings)
    return after
  })
  await writeBundleFiles(bundle, files)
  if (changed !== text) await replaceConfigText(bundle, changed)
}

/**
 * The words of a command line that say how a bundle's config.json differs from that of an image which asks for nothing; what
 * no flag says is not among them.
 *
 * @throws OciError `ERR_BUNDLE_INVALID`, `ERR_CONFIG_INVALID`
 */
export async function showConfig({ bundle = '.' }: Pick<ConfigOptions, 'bundle'> = {}): Promise<readonly string[]> {
  const shown = readConfig(resolve(bundle))
  const seccompProfile = await engineSeccomp({})
  const around = surroundingsOf({ parseSignal, seccompProfile, bundleName: basename(resolve(bundle)) })
  return showChanges(shown, await baseOf(shown), around())
}

async function baseOf({ linux = {} }: RuntimeConfig): Promise<RuntimeConfig> {
  const { uidMappings, gidMappings, namespaces = [] } = linux
  const idMappings: IDMappings | undefined = uidMappings && gidMappings && { uidMappings, gidMappings }
  const rootless = namespaces.some(({ type }) => type === 'user')
  return withNamesOfOwnNetwork(withImageDefaults(defaultConfig(await hostConfigOptions(rootless, idMappings))), look)
}
