import type { CompileOptions } from '../compile/context.ts'
import type { Guard } from '../host/door.ts'
import { makeRoot } from '../state-root.ts'
import {
  compileContainer,
  type ForegroundOptions,
  type NewContainerOptions,
  type OwnCompileOptions,
} from './compile-container.ts'
import type { CompiledCall } from './compiled-call.ts'
import { parseContainerID } from './container-id.ts'
import { inheritedFds } from './inherited-fds.ts'
import { commandOf, describeLaunch, givenOptions } from './kept/call.ts'
import { keepCallProgram, keepProgram } from './kept/program.ts'

/** The options of a `run` or `create`; the bundle and the host provide the rest. */
export interface LaunchCall extends NewContainerOptions, ForegroundOptions {
  /** True to use no kept program or filter, and to keep none. */
  readonly noCache?: boolean | undefined
}

/** Options that only this tool itself uses. */
export interface OwnLaunchCall extends Pick<OwnCompileOptions, 'endsWithRunner'> {
  /** Another call than the one of the bundle that the program is kept for. */
  readonly keptFor?: KeptFor | undefined
}

/** A call in the words of the front, with the facts that its bundle was made from. */
export interface KeptFor {
  readonly call: string
  readonly guards: readonly Guard[]
}

/**
 * Compiles a `run` or `create`. Its `keep` creates the state root when it does not exist.
 *
 * @throws OciError `ERR_CONTAINER_ID_INVALID`, and as `compileContainer`
 */
export async function compileLaunch(
  { keptFor, ...given }: LaunchCall & OwnLaunchCall,
  mode: CompileOptions['mode'],
): Promise<CompiledCall> {
  const options = givenOptions(commandOf(mode), given)
  const id = parseContainerID(options.id)
  const call = describeLaunch(options, mode)
  let hasSpoken = false
  const log: NewContainerOptions['log'] = (level, message) => {
    if (level !== 'debug') hasSpoken = true
    options.log?.(level, message)
  }
  const { program, guards, bundle, root } = await compileContainer({ ...options, log }, mode)
  return {
    program,
    id,
    paths: options,
    preserveFds: inheritedFds(options),
    cwd: bundle,
    keep() {
      makeRoot(root, process.geteuid?.() ?? 0)
      if (hasSpoken || guards === undefined) return
      if (keptFor !== undefined) keepCallProgram(program, { ...keptFor, root, guards: [...keptFor.guards, ...guards] })
      else if (call !== undefined) keepProgram(program, { call, bundle, root, guards })
    },
  }
}
