import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { getSystemErrorMap } from 'node:util'
import { isSystemError, OciError } from '../errors.ts'
import { createLayerApplier, type LayerApplier } from './apply-layer.ts'
import { byteSource } from './byte-source.ts'
import { decompress } from './decompress.ts'
import { finishTree } from './finish.ts'
import { createBudget, type UnpackLimits } from './limits.ts'
import type { ApplyNodeOps } from './node-op.ts'
import { removeTree } from './remove-tree.ts'
import type { Choices, Site } from './site.ts'
import { createTarReader, shown } from './tar-reader.ts'
import { createRoot } from './tree.ts'

export { checkFreeSpace, type UnpackLimits } from './limits.ts'
export type { ApplyNodeOps, NodeOp } from './node-op.ts'
export type { Choices } from './site.ts'

export interface RootfsOptions extends Choices {
  /** Does what Node.js cannot: devices, extended attributes, exact times. Called from `finish`. */
  readonly applyNodeOps: ApplyNodeOps
  /** Told, once per text, what is done differently from what a layer asks for. Default: nobody is told. */
  readonly warn?: ((message: string) => void) | undefined
  /** Whether owners, devices and privileged attributes can be given. Default: whether the process is root. */
  readonly isPrivileged?: boolean | undefined
  readonly limits?: UnpackLimits | undefined
}

export interface ApplyOptions {
  /** Digest of the uncompressed tar, as the image config has it. Default: not checked. */
  readonly diffID?: string | undefined
  /** What errors call the layer, its digest for instance. Default: its number, counted from 1. */
  readonly name?: string | undefined
  readonly signal?: AbortSignal | undefined
}

export interface LayerResult {
  /** Digest of the uncompressed tar, with whatever follows its end marker. */
  readonly diffID: string
  /** Bytes of the uncompressed tar. */
  readonly size: number
  readonly entries: number
}

/** Warnings that are told; a hostile layer can cause one per entry. */
const maxWarnings = 1000

/** A rootfs under construction. After a failure only `abort` is of use. */
export interface RootfsBuilder {
  /**
   * Applies one layer on top of those before; one at a time.
   * @param content the blob as it is stored, gzip, zstd or plain; whoever passes it lets it throw when its digest or
   *   size is wrong. It is read to its end, and closed in any case.
   * @throws OciError `ERR_LAYER_INVALID`, `ERR_LIMIT_EXCEEDED`, `ERR_DIGEST_MISMATCH` (the diffID),
   *   `ERR_NOT_SUPPORTED` (compression), `ERR_FILE_SYSTEM`; and what `content` throws
   */
  apply(content: AsyncIterable<Uint8Array>, options?: ApplyOptions): Promise<LayerResult>
  /** Completes devices, attributes and directories; the rootfs is then whole. */
  finish(): Promise<void>
  /** Removes everything made so far. Not while `apply` or `finish` is going on. */
  abort(): void
}

/**
 * Begins a rootfs in `directory`, which must not exist, in one that nobody else can write to until `finish` is done:
 * the builder relies on nothing changing under it. No entry of any layer has an effect outside.
 * @throws OciError `ERR_BUNDLE_EXISTS`, `ERR_FILE_SYSTEM`, `ERR_USAGE`
 */
export function createRootfs(directory: string, options: RootfsOptions): RootfsBuilder {
  if (options.strictOverlay && options.keepDirlinks) {
    throw new OciError('ERR_USAGE', 'links are either hidden as by overlay mounts or kept as directories, not both')
  }
  const path = resolve(directory)
  const site = createSite(path, options)
  makeRoot(path, site.directoryMode)
  let layers = 0
  let status: 'ready' | 'busy' | 'broken' | 'finished' = 'ready'

  /** Lets one step run at a time, and none after a failure. */
  async function exclusively<T>(step: () => Promise<T>, after: 'ready' | 'finished'): Promise<T> {
    if (status !== 'ready') throw new Error(`a rootfs that is ${status} takes no further steps`)
    status = 'busy'
    try {
      const result = await step()
      status = after
      return result
    } catch (error) {
      status = 'broken'
      throw error
    }
  }

  return {
    apply: (content, applyOptions = {}) =>
      exclusively(() => {
        layers += 1
        return applyLayer(site, layers, { content, ...applyOptions })
      }, 'ready'),
    finish: () =>
      exclusively(async () => {
        try {
          await finishTree(site, options.applyNodeOps)
        } catch (error) {
          if (!isSystemError(error) || error.path === undefined) throw error
          throw fileSystemError(`"${error.path}": ${error.syscall}`, error)
        }
      }, 'finished'),
    abort() {
      if (status === 'busy') throw new Error('a rootfs cannot be removed while it is worked on')
      status = 'broken'
      removeTree(path)
    },
  }
}

async function applyLayer(
  site: Site,
  number: number,
  { content, diffID, name, signal }: ApplyOptions & { content: AsyncIterable<Uint8Array> },
): Promise<LayerResult> {
  const layer = `layer ${name ?? number}`
  const warn = (message: string): void => site.warn(`${layer}: ${message}`)
  const applier = createLayerApplier({ ...site, warn }, number)
  const reader = createTarReader(applier)
  const source = byteSource(content)
  const hash = createHash('sha256')
  let size = 0
  try {
    for await (const chunk of decompress(source, warn, diffID !== undefined)) {
      signal?.throwIfAborted()
      hash.update(chunk)
      size += chunk.length
      site.budget.ratio(source.bytesRead, size)
      onFileSystem(applier, () => reader.push(chunk))
    }
    reader.finish()
    onFileSystem(applier, () => applier.finish())
    await source.drain()
  } catch (error) {
    // A blob that is not what its descriptor says is the error to report then, and only its end shows it.
    if (error instanceof OciError && error.code === 'ERR_LAYER_INVALID') await source.drain()
    throw within(layer, error)
  } finally {
    applier.close()
    await source.close()
  }
  const digest = `sha256:${hash.digest('hex')}`
  if (diffID !== undefined && digest !== diffID) {
    throw new OciError('ERR_DIGEST_MISMATCH', `${layer}: uncompressed it is ${digest}, and the image says ${diffID}`)
  }
  return { diffID: digest, size, entries: applier.entries }
}

/** Names the entry that a failing file system call was made for. */
function onFileSystem(applier: LayerApplier, step: () => void): void {
  try {
    step()
  } catch (error) {
    if (!isSystemError(error) || error.syscall === undefined) throw error
    const entry = applier.current === undefined ? '' : `entry ${shown(applier.current)}: `
    throw fileSystemError(`${entry}${error.syscall}`, error)
  }
}

function fileSystemError(what: string, error: NodeJS.ErrnoException): OciError {
  const words = getSystemErrorMap().get(error.errno ?? 0)?.[1] ?? 'unknown error'
  const hint = isSystemError(error, 'ENOSPC', 'EDQUOT')
    ? 'free some space, or inodes, or choose another place'
    : undefined
  return new OciError('ERR_FILE_SYSTEM', `${what}: ${words} (${error.code})`, { hint, cause: error })
}

function within(place: string, error: unknown): unknown {
  if (!(error instanceof OciError)) return error
  const { code, message, hint, pointer, cause } = error
  return new OciError(code, `${place}: ${message}`, { hint, pointer, cause })
}

function createSite(path: string, options: RootfsOptions): Site {
  const umask = ownUmask()
  const isPrivileged = options.isPrivileged ?? process.geteuid?.() === 0
  const said = new Set<string>()
  return {
    prefix: Buffer.from(`${path}/`).toString('latin1'),
    root: createRoot(),
    isPrivileged,
    canMakeDevices: isPrivileged && isInitialUserNamespace(),
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    umask,
    directoryMode: (0o755 & ~umask) | 0o700,
    budget: createBudget(path, options.limits ?? {}),
    choices: options,
    warn(message) {
      if (said.has(message) || said.size >= maxWarnings) return
      said.add(message)
      options.warn?.(message)
    },
  }
}

/** The initial user namespace has all ids, as they are (man 7 user_namespaces). */
const isInitialUserNamespace = (): boolean =>
  /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'))

/** process.umask() would change it for a moment, while other threads create files. */
function ownUmask(): number {
  const digits = /^Umask:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  if (digits === undefined) throw new Error('no Umask in /proc/self/status, which Linux has since 4.7')
  return Number.parseInt(digits, 8)
}

function makeRoot(path: string, mode: number): void {
  try {
    mkdirSync(path)
    // Rids it of a setgid bit taken from its parent, which every directory and file below would take in turn.
    chmodSync(path, mode)
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) throw new OciError('ERR_BUNDLE_EXISTS', `"${path}" exists`, { cause: error })
    throw isSystemError(error) ? fileSystemError(`"${path}": mkdir`, error) : error
  }
}
