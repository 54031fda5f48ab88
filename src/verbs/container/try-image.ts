import { release } from 'node:os'
import { resolve } from 'node:path'
import type { ConfigChanges } from '../../bundle/changes/config-changes.ts'
import { isInInitialNamespace } from '../../bundle/id-mappings.ts'
import { needsUserNamespace } from '../../caller-rights.ts'
import { temporaryRootAnnotation } from '../../compile/mount/temporary-root.ts'
import { OciError } from '../../errors.ts'
import { removeTree } from '../../layer/remove-tree.ts'
import { parseContainerID } from '../../runtime/container-id.ts'
import type { LaunchOptions, OwnOptions } from '../../runtime/launch.ts'
import { absoluteRoot } from '../../state-root.ts'
import { defaultStorePath } from '../../store/location.ts'
import type { PreparedTry, PrepareTryOptions } from '../image/prepare-try.ts'
import { launchUntilAborted } from './launch-until-aborted.ts'
import { removeLeftovers, removeNamesake, triedID } from './try-leftovers.ts'

export interface TryImageOptions extends Omit<PrepareTryOptions, 'changes' | 'id' | 'out' | 'isApart' | 'subids'> {
  /**
   * As for `pull`; unless they say otherwise there is no terminal, system calls are filtered, and the network is pasta's, or the
   * host's where pasta cannot be used.
   */
  readonly changes?: ConfigChanges | undefined
  /** The container's ID; default: one that no other container has. */
  readonly name?: string | undefined
  /** Keep the bundle, in a directory that is named as the container; default false. */
  readonly keep?: boolean | undefined
  /** The state root, with a directory for each container; default: `defaultRoot` of this process. */
  readonly root?: string | undefined
  readonly systemdCgroup?: LaunchOptions['systemdCgroup']
  readonly stdio?: LaunchOptions['stdio']
  /** Told where the bundle is that is kept. */
  readonly onKept?: ((bundle: string) => void) | undefined
}

/** The options that the command line alone has. */
export interface OwnTryOptions extends Pick<OwnOptions, 'reports'> {
  readonly forwardSignals?: boolean | undefined
  /** The call that the program is kept for. */
  readonly keptCall?: string | undefined
  /** Makes the bundle in place of `prepareTry`. */
  readonly prepare?: ((name: string, options: PrepareTryOptions) => Promise<PreparedTry>) | undefined
  /** Removes a bundle that it has made. */
  readonly discard?: ((bundle: string) => Promise<void>) | undefined
}

/**
 * Runs an image in a container, and removes all that was made for it at the end. The store keeps the image, and its unpacked
 * files, which make the next time fast. What the container writes is in memory, where the kernel has overlays for the caller,
 * and else in a copy of the files.
 *
 * @returns the exit code of the container's process, or 128 + the signal that ended it
 * @throws OciError as `pull`, `unpack` and `run`
 */
export async function tryImage(image: string, options: TryImageOptions & OwnTryOptions = {}): Promise<number> {
  const root = absoluteRoot(options.root)
  await removeLeftovers(root)
  const id = parseContainerID(options.name ?? triedID())
  if (options.name !== undefined) {
    await removeNamesake(id, { root, store: options.store ?? defaultStorePath(options.env ?? process.env) })
  }
  const prepare = await prepareBy(options)
  const asked = {
    ...options,
    changes: withDefaults(options.changes ?? {}),
    id,
    out: options.keep ? resolve(id) : undefined,
    isApart: !hasOverlays(),
  }
  const prepared = await prepare(image, asked)
  try {
    return await runPrepared(prepared, { ...options, id, root })
  } catch (error) {
    if (prepared.isTemporary || asked.out !== undefined || !isOfOverlay(error)) throw error
    options.log?.(`${image} gets a copy of its files: ${error.message}`)
    return await runPrepared(await prepare(image, { ...asked, isApart: true }), { ...options, id, root })
  } finally {
    if (options.keep) options.onKept?.(prepared.bundle)
  }
}

const prepareBy = async (options: OwnTryOptions): Promise<NonNullable<OwnTryOptions['prepare']>> =>
  options.prepare ?? (await import('../image/prepare-try.ts')).prepareTry

/** A container, and for the command line the call that its program is kept for. */
interface TriedContainer extends TryImageOptions, OwnTryOptions {
  readonly id: string
  readonly root: string
}

/** Runs a bundle to the end of its container, and removes it where nobody else needs it. */
async function runPrepared({ bundle, guards, isTemporary }: PreparedTry, options: TriedContainer): Promise<number> {
  const { id, root, stdio, systemdCgroup, forwardSignals, reports, keptCall, log, warn } = options
  const { discard = async (path: string) => removeTree(path) } = options
  try {
    const outcome = await launchUntilAborted(
      // A signal that is passed on is the container's own affair.
      forwardSignals ? undefined : options.signal,
      {
        bundle,
        id,
        root,
        stdio,
        systemdCgroup,
        forwardSignals,
        reports,
        endsWithCaller: true,
        endsWithRunner: true,
        noKept: true,
        keptFor: keptCall !== undefined && guards ? { call: keptCall, guards } : undefined,
        log: (level, message) => (level === 'warning' ? warn?.(message) : log?.(message)),
      },
      'foreground',
    )
    return outcome.kind === 'exited' ? outcome.status : 0
  } finally {
    if (isTemporary) await discard(bundle)
  }
}

/** Engines filter system calls, but those of privileged containers. */
function withDefaults(changes: ConfigChanges): ConfigChanges {
  const { tty = false, privileged = false, securityOpt = [] } = changes
  const isFiltered = !privileged && !securityOpt.some((option) => /^seccomp[=:]/.test(option))
  return { ...changes, tty, securityOpt: [...(isFiltered ? ['seccomp=default'] : []), ...securityOpt] }
}

/** True where the caller's containers can have overlays whose upper directory is in memory: users may since Linux 6.6. */
function hasOverlays(): boolean {
  if (!needsUserNamespace() && isInInitialNamespace()) return true
  const [major = 0, minor = 0] = release().split('.').map(Number)
  return major > 6 || (major === 6 && minor >= 6)
}

function isOfOverlay(error: unknown): error is OciError {
  return error instanceof OciError && error.pointer === `/annotations/${temporaryRootAnnotation}`
}
