import { join } from 'node:path'
import type { Engine } from '../../engine/engine.ts'
import { type EngineName, engines, isEngineName } from '../../engine/engines.ts'
import { OciError } from '../../errors.ts'
import { ownBinary } from '../../runtime/own-binary.ts'
import { absolutePath } from '../../state-root.ts'
import { readConfigFile, readConfigFiles, removeConfigFile, replaceConfigFile } from './engine-files.ts'

export interface EngineOptions {
  /** `write` puts this runtime into the engine's configuration, `remove` takes it out; without either nothing is changed. */
  readonly action?: 'write' | 'remove' | undefined
  /** True to make it the runtime of containers that name none. */
  readonly asDefault?: boolean | undefined
  /** The configuration file; default: the one that the engine reads. */
  readonly file?: string | undefined
  /** The binary that the engine is to call; default: this tool's. */
  readonly runtime?: string | undefined
  /** Default: `process.env`; for the directory of a user's configuration. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
}

export interface EngineResult {
  readonly engine: EngineName
  /** Absolute path. */
  readonly file: string
  /** `unchanged`: the file already was as it should be. */
  readonly done: 'shown' | 'written' | 'removed' | 'unchanged'
  /** The entry, where it is only shown; else the content of the file, '' when there is none any more. */
  readonly text: string
  /** The command after which the engine knows of a change; null: it needs none. */
  readonly restart: string | null
}

/**
 * Shows how an engine is told of this runtime, or writes that into its configuration, or removes it. What others have written
 * there stays.
 *
 * @param name docker, containerd, podman (and Buildah) or crio
 * @throws OciError `ERR_USAGE` another engine; `ERR_ENGINE_CONFIG` a configuration that cannot be changed; `ERR_PERMISSION`
 */
export async function engine(name: string, options: EngineOptions = {}): Promise<EngineResult> {
  if (!isEngineName(name)) {
    throw new OciError('ERR_USAGE', `"${name}" is no engine that is known here`, {
      hint: `use one of ${Object.keys(engines).join(', ')}`,
    })
  }
  const known: Engine = engines[name]
  const file = absolutePath(options.file ?? known.file(userDirectory(options.env ?? process.env)))
  const before = readConfigFile(file)
  const { done, text } = apply(known, { file, before, options })
  const next = known.restart?.[options.action ?? 'write']
  return { engine: name, file, done, text, restart: done === 'unchanged' ? null : (next ?? null) }
}

interface Call {
  readonly file: string
  readonly before: string
  readonly options: EngineOptions
}

function apply(known: Engine, { file, before, options }: Call): Pick<EngineResult, 'done' | 'text'> {
  const { action, asDefault = false, runtime = ownBinary('bundle-tool') } = options
  if (action === 'remove') {
    const after = known.remove(before)
    if ((after ?? '') === before) return { done: 'unchanged', text: before }
    if (after === undefined) removeConfigFile(file)
    else replaceConfigFile(file, after)
    return { done: 'removed', text: after ?? '' }
  }
  const entry = { path: absolutePath(runtime), isDefault: asDefault }
  const read = readConfigFiles(known.reads ?? [], file)
  if (action === undefined) return { done: 'shown', text: known.snippet(entry, before, read) }
  const after = known.add(entry, before, read)
  if (after === before) return { done: 'unchanged', text: before }
  replaceConfigFile(file, after)
  return { done: 'written', text: after }
}

/** The configuration directory of a user; undefined for root, who has /etc. */
function userDirectory(env: Readonly<Record<string, string | undefined>>): string | undefined {
  if (process.geteuid?.() === 0) return undefined
  return env.XDG_CONFIG_HOME || join(env.HOME || '/', '.config')
}
