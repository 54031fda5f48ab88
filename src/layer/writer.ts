import { chmodSync, mkdirSync, readFileSync } from 'node:fs'
import { isSystemError, OciError } from '../errors.ts'
import { isInitialIDMap } from '../oci/user-namespace.ts'
import { createLayerApplier, type LayerApplier } from './apply-layer.ts'
import type { FileQueue } from './file-queue.ts'
import { fileSystemError, onFileSystem } from './file-system-error.ts'
import { finishTree } from './finish.ts'
import { createBudget, type UnpackLimits } from './limits.ts'
import type { ApplyNodeOps } from './node-op.ts'
import type { Choices, Site } from './site.ts'
import { createTarReader, type TarReader } from './tar/reader.ts'
import { createRoot } from './tree.ts'

export interface WriterOptions extends Choices {
  /** Absolute path of the rootfs, a directory that is there and empty. */
  readonly path: string
  /** Whether owners, devices and privileged attributes can be given. Default: whether the process is root. */
  readonly isPrivileged?: boolean | undefined
  readonly limits?: UnpackLimits | undefined
}

/** What a writer needs from whoever has it. */
export interface WriterHost {
  readonly applyNodeOps: ApplyNodeOps
  /** Told what is done differently from what a layer asks for; a hostile one can cause that once per entry. */
  readonly warn: (message: string) => void
  /** Where files may be written rather than here. */
  readonly queue?: FileQueue | undefined
}

/** The half of building a rootfs that reads archives and makes files; the other decompresses and verifies. */
export interface RootfsWriter {
  /** Begins the next layer; `name` is what warnings call it. */
  begin(name: string): void
  /**
   * Takes over the next bytes of its uncompressed tar, which are not the caller's any more. Resolves when more may come.
   * @throws OciError what is wrong with these bytes or some before
   */
  push(chunk: Buffer): Promise<void> | void
  /** Ends the layer. @returns how many entries it has */
  end(): Promise<number>
  /** Completes devices, attributes and directories. */
  finish(): Promise<void>
  /** Releases what a layer that is not ended keeps open, and ends the writer. */
  close(): Promise<void>
}

/** Warnings that are told; a hostile layer can cause one per entry. */
const maxWarnings = 1000

/** Passes on each text once. */
export function onceEach(warn: (message: string) => void): (message: string) => void {
  const said = new Set<string>()
  return (message) => {
    if (said.has(message) || said.size >= maxWarnings) return
    said.add(message)
    warn(message)
  }
}

/** A writer that works in this thread, with synchronous calls. @throws OciError from its functions, as `RootfsBuilder` */
export function createWriter(options: WriterOptions, host: WriterHost): RootfsWriter {
  const site = createSite(options, host)
  let layers = 0
  let layer: { readonly applier: LayerApplier; readonly reader: TarReader } | undefined

  function current() {
    if (layer === undefined) throw new Error('no layer has been begun')
    return layer
  }

  return {
    begin(name) {
      layers += 1
      const warn = (message: string): void => site.warn(`layer ${name}: ${message}`)
      const applier = createLayerApplier({ ...site, warn }, layers)
      layer = { applier, reader: createTarReader(applier) }
    },
    push(chunk) {
      const { applier, reader } = current()
      onFileSystem(
        () => applier.current,
        () => reader.push(chunk),
      )
    },
    async end() {
      const { applier, reader } = current()
      reader.finish()
      onFileSystem(
        () => applier.current,
        () => applier.finish(),
      )
      applier.close()
      layer = undefined
      return applier.entries
    },
    async finish() {
      try {
        await finishTree(site, host.applyNodeOps)
      } catch (error) {
        if (!isSystemError(error) || error.path === undefined) throw error
        throw fileSystemError(`"${error.path}": ${error.syscall}`, error)
      }
    },
    async close() {
      layer?.applier.close()
      layer = undefined
    },
  }
}

function createSite(options: WriterOptions, { warn, queue }: WriterHost): Site {
  const { path } = options
  const umask = ownUmask()
  const isPrivileged = options.isPrivileged ?? process.geteuid?.() === 0
  return {
    prefix: Buffer.from(`${path}/`).toString('latin1'),
    root: createRoot(),
    isPrivileged,
    canMakeDevices: isPrivileged && isInitialIDMap(readFileSync('/proc/self/uid_map', 'utf8')),
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    umask,
    directoryMode: initialDirectoryMode(umask),
    budget: createBudget(path, options.limits ?? {}),
    queue,
    choices: options,
    warn,
  }
}

/** process.umask() would change it for a moment, while other threads create files. */
function ownUmask(): number {
  const digits = /^Umask:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  if (digits === undefined) throw new Error('no Umask in /proc/self/status, which Linux has since 4.7')
  return Number.parseInt(digits, 8)
}

/** The mode that directories have until the rootfs is finished. */
const initialDirectoryMode = (umask: number): number => (0o755 & ~umask) | 0o700

/**
 * Makes the directory that a rootfs is to be built in, which only its owner can write to.
 * @throws OciError `ERR_BUNDLE_EXISTS`, `ERR_FILE_SYSTEM`
 */
export function makeRoot(path: string): void {
  try {
    mkdirSync(path)
    // Rids it of a setgid bit taken from its parent, which every directory and file below would take in turn.
    chmodSync(path, initialDirectoryMode(ownUmask()))
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) throw new OciError('ERR_BUNDLE_EXISTS', `"${path}" exists`, { cause: error })
    throw isSystemError(error) ? fileSystemError(`"${path}": mkdir`, error) : error
  }
}
