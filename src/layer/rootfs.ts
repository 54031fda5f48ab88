import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { OciError, reworded } from '../errors.ts'
import type { ApplyNodeOps } from '../program/node-op.ts'
import type { StartTree } from '../program/tree-process.ts'
import { byteSource } from './byte-source.ts'
import { decompress } from './decompress.ts'
import { checkRatio, type UnpackLimits } from './limits.ts'
import type { Choices } from './site.ts'
import { createWriter, makeRoot, onceEach, type RootfsWriter } from './writer.ts'

export { checkFreeSpace, type UnpackLimits } from './limits.ts'
export type { Choices } from './site.ts'

export interface RootfsOptions extends Choices {
  /**
   * Applies the operations that Node.js has no call for: devices, extended attributes, exact times. Called from
   * `finish`.
   */
  readonly applyNodeOps: ApplyNodeOps
  /** Called once for each message about a deviation from what a layer asks for. Default: the message is dropped. */
  readonly warn?: ((message: string) => void) | undefined
  /** True when owners, devices and privileged attributes can be set. Default: true when the process is root. */
  readonly isPrivileged?: boolean | undefined
  readonly limits?: UnpackLimits | undefined
  /** Starts the process that makes the files, while this one decompresses and verifies. */
  readonly startTree: StartTree
}

export interface ApplyOptions {
  /** Digest of the uncompressed tar, from the image config. Default: not checked. */
  readonly diffID?: string | undefined
  /** Name of the layer in errors, its digest for instance. Default: its number, counted from 1. */
  readonly name?: string | undefined
  readonly signal?: AbortSignal | undefined
}

export interface LayerResult {
  /** Digest of the uncompressed tar, including any bytes after its end marker. */
  readonly diffID: string
  /** Bytes of the uncompressed tar. */
  readonly size: number
  readonly entries: number
}

/** A rootfs under construction. After a failure only `close` is of use. */
export interface RootfsBuilder {
  /**
   * Applies one layer on top of those before. Calls must not overlap.
   * @param content the blob as stored: gzip, zstd, xz, bzip2 or plain tar. The caller makes it throw when its digest or
   *   size is wrong. It is read to its end, and always closed.
   * @throws OciError `ERR_LAYER_INVALID`, `ERR_LIMIT_EXCEEDED`, `ERR_DIGEST_MISMATCH` (the diffID), `ERR_NOT_SUPPORTED`
   *   (compression), `ERR_FILE_SYSTEM`; and what `content` throws
   */
  apply(content: AsyncIterable<Uint8Array>, options?: ApplyOptions): Promise<LayerResult>
  /** Completes devices, attributes and directories; the rootfs is then complete. */
  finish(): Promise<void>
  /** Ends the builder, and leaves the files it has created. Must not be called while `apply` or `finish` is running. */
  close(): Promise<void>
}

/**
 * Begins a rootfs in `directory`, which must not exist yet. Until `finish` has resolved, nobody else may be able to
 * write to the directory's parent: the builder relies on nothing changing beneath it. No entry of any layer has an
 * effect outside. The caller always calls `close`.
 * @throws OciError `ERR_BUNDLE_EXISTS`, `ERR_FILE_SYSTEM`, `ERR_USAGE`
 */
export function createRootfs(directory: string, options: RootfsOptions): RootfsBuilder {
  const { applyNodeOps, startTree, limits, isPrivileged, strictOverlay, keepDirlinks } = options
  if (strictOverlay && keepDirlinks) {
    throw new OciError('ERR_USAGE', 'links are either hidden as by overlay mounts or kept as directories, not both')
  }
  const path = resolve(directory)
  makeRoot(path)
  const warn = onceEach(options.warn ?? (() => {}))
  const choices = { path, limits, isPrivileged, strictOverlay, keepDirlinks }
  const writer = createWriter(choices, { applyNodeOps, warn, process: startTree(path) })
  let layers = 0
  let status: 'ready' | 'busy' | 'broken' | 'finished' = 'ready'

  /** Runs one step at a time, and none after a failure. */
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
    apply: (content, { name, ...applyOptions } = {}) =>
      exclusively(() => {
        layers += 1
        return applyLayer(writer, { content, name: name ?? String(layers), limits, warn, ...applyOptions })
      }, 'ready'),
    finish: () => exclusively(() => writer.finish(), 'finished'),
    async close() {
      if (status === 'busy') throw new Error('a rootfs cannot be closed while it is worked on')
      status = 'broken'
      await writer.close()
    },
  }
}

interface Layer extends ApplyOptions {
  readonly content: AsyncIterable<Uint8Array>
  readonly name: string
  readonly limits: UnpackLimits | undefined
  readonly warn: (message: string) => void
}

async function applyLayer(writer: RootfsWriter, layer: Layer): Promise<LayerResult> {
  const { content, diffID, name, limits, signal } = layer
  const warn = (message: string): void => layer.warn(`layer ${name}: ${message}`)
  const source = byteSource(content)
  const hash = createHash('sha256')
  let size = 0
  let entries: number
  writer.begin(name)
  try {
    for await (const chunk of decompress(source, { warn, hasDigest: diffID !== undefined, isTransient: true })) {
      signal?.throwIfAborted()
      size += chunk.length
      checkRatio(source.bytesRead, size, limits)
      const pushed = writer.push(chunk)
      hash.update(chunk)
      await pushed
    }
    entries = await writer.end()
    await source.drain()
  } catch (error) {
    // When the blob does not match its descriptor, that is the error to report, and only the end of the blob shows it.
    if (error instanceof OciError && error.code === 'ERR_LAYER_INVALID') await source.drain()
    throw within(`layer ${name}`, error)
  } finally {
    await source.close()
  }
  const digest = `sha256:${hash.digest('hex')}`
  if (diffID !== undefined && digest !== diffID) {
    throw new OciError(
      'ERR_DIGEST_MISMATCH',
      `layer ${name}: its uncompressed digest is ${digest}, but the image config says ${diffID}`,
    )
  }
  return { diffID: digest, size, entries }
}

function within(place: string, error: unknown): unknown {
  return error instanceof OciError ? reworded(error, `${place}: ${error.message}`) : error
}
