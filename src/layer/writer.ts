import { chmodSync, mkdirSync, readFileSync } from 'node:fs'
import { isSystemError, OciError } from '../errors.ts'
import { isInitialIDMap } from '../oci/user-namespace.ts'
import type { ApplyNodeOps } from '../program/node-op.ts'
import type { TreeProcess } from '../program/tree-process.ts'
import { createLayerApplier, type LayerApplier } from './apply-layer.ts'
import { fileSystemError } from './file-system-error.ts'
import { finishTree } from './finish.ts'
import { createBudget, type UnpackLimits } from './limits.ts'
import type { Choices, Site } from './site.ts'
import { createTarReader, type TarReader } from './tar/reader.ts'
import { createRoot } from './tree.ts'
import { createTreeMaker } from './tree-maker.ts'

export interface WriterOptions extends Choices {
  /** Absolute path of the rootfs, an existing, empty directory. */
  readonly path: string
  /** True when owners, devices and privileged attributes can be set. Default: true when the process is root. */
  readonly isPrivileged?: boolean | undefined
  readonly limits?: UnpackLimits | undefined
}

/** Functions that a writer gets from its caller. */
export interface WriterHost {
  readonly applyNodeOps: ApplyNodeOps
  /** Called about deviations from what a layer asks for; a hostile layer can cause one per entry. */
  readonly warn: (message: string) => void
  /** Makes the files. */
  readonly process: TreeProcess
}

/** The half of a rootfs builder that reads archives and says which files are made; the other half decompresses and verifies. */
export interface RootfsWriter {
  /** Begins the next layer; warnings call it `name`. */
  begin(name: string): void
  /**
   * Takes the next bytes of the layer's uncompressed tar. Resolves when they are of no more use, and the next chunk may
   * be pushed.
   * @throws OciError an error in these bytes or in earlier ones
   */
  push(chunk: Buffer): Promise<void>
  /** Ends the layer. @returns its number of entries */
  end(): Promise<number>
  /** Completes devices, attributes and directories. */
  finish(): Promise<void>
  /** Ends the writer, whatever it is doing. */
  close(): Promise<void>
}

/** The most warnings that are passed on; a hostile layer can cause one per entry. */
const maxWarnings = 1000

/** A function that passes each message to `warn` once, and at most `maxWarnings` messages. */
export function onceEach(warn: (message: string) => void): (message: string) => void {
  const said = new Set<string>()
  return (message) => {
    if (said.has(message) || said.size >= maxWarnings) return
    said.add(message)
    warn(message)
  }
}

/** A writer whose functions throw as those of `RootfsBuilder`. */
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
    push: (chunk) =>
      site.tree.push(chunk, (piece, from) => {
        const { applier, reader } = current()
        applier.placed(from)
        reader.push(piece)
      }),
    async end() {
      const { applier, reader } = current()
      reader.finish()
      applier.finish()
      await site.tree.idle()
      site.tree.entry = undefined
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
    close: () => site.tree.close(),
  }
}

function createSite(options: WriterOptions, { warn, process: maker }: WriterHost): Site {
  const { path } = options
  const isPrivileged = options.isPrivileged ?? process.geteuid?.() === 0
  return {
    prefix: Buffer.from(`${path}/`).toString('latin1'),
    root: createRoot(),
    isPrivileged,
    canMakeDevices: isPrivileged && isInitialIDMap(readFileSync('/proc/self/uid_map', 'utf8')),
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    directoryMode: initialDirectoryMode(ownUmask()),
    budget: createBudget(path, options.limits ?? {}),
    tree: createTreeMaker(maker),
    choices: options,
    warn,
  }
}

/**
 * The process's umask. process.umask() is not used, since it changes the umask for a moment, while other threads create
 * files.
 */
function ownUmask(): number {
  const digits = /^Umask:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  if (digits === undefined) throw new Error('no Umask in /proc/self/status, which Linux has since 4.7')
  return Number.parseInt(digits, 8)
}

/** The mode of directories until the rootfs is finished. */
const initialDirectoryMode = (umask: number): number => (0o755 & ~umask) | 0o700

/**
 * Makes the directory in which a rootfs is built; only its owner can write to it.
 * @throws OciError `ERR_BUNDLE_EXISTS`, `ERR_FILE_SYSTEM`
 */
export function makeRoot(path: string): void {
  try {
    mkdirSync(path)
    // Removes a setgid bit inherited from the parent, which every directory and file below would inherit in turn.
    chmodSync(path, initialDirectoryMode(ownUmask()))
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) throw new OciError('ERR_BUNDLE_EXISTS', `"${path}" exists`, { cause: error })
    throw isSystemError(error) ? fileSystemError(`"${path}": mkdir`, error) : error
  }
}
