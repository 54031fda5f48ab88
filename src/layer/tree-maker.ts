import {
  createTreeCommands,
  type FileAttributes,
  type FileData,
  type RegularAttributes,
} from '../program/tree-commands.ts'
import { maxPlacedBytes, TreeFailure, type TreeProcess } from '../program/tree-process.ts'
import { fileSystemError } from './file-system-error.ts'
import { needsMoreIDs } from './owner.ts'
import { shown, type TarEntry } from './tar/reader.ts'
import { childPath, type Directory } from './tree.ts'

/** A name in a directory. */
export interface Place {
  readonly parent: Directory
  readonly name: string
}

/** Makes, fills and removes files in the order of the calls; errors come with a later call of `push` or `idle`. */
export interface TreeMaker {
  /** The entry for which files are made; errors name it. */
  entry: TarEntry | undefined
  makeDirectory(parent: Directory, name: string, mode: number): void
  unlink(parent: Directory, name: string): void
  /** Removes a directory with everything beneath it. */
  removeDirectory(parent: Directory, name: string): void
  makeSymlink({ parent, name }: Place, target: string, attributes: FileAttributes): void
  /** Gives a file one more name. */
  makeLink(from: Place, { parent, name }: Place): void
  /** Makes a file with its first data. It takes more until its last data or its size. */
  makeFile({ parent, name }: Place, attributes: RegularAttributes, data: FileData): void
  addData(data: FileData): void
  setSize(size: number): void
  /**
   * Calls `work` with pieces of `bytes`, which it may name as the data of files by their place: `from` and what follows.
   * @throws OciError `ERR_FILE_SYSTEM`, `ERR_NOT_SUPPORTED` (an owner that cannot be set) of this or an earlier call
   */
  push(bytes: Buffer, work: (piece: Buffer, from: number) => void): Promise<void>
  /** Resolves when all is done. @throws OciError as `push` */
  idle(): Promise<void>
  close(): Promise<void>
}

export function createTreeMaker(process: TreeProcess): TreeMaker {
  const commands = createTreeCommands()
  let things: (TarEntry | undefined)[] = []
  let current: Directory | undefined

  /** Makes `directory` the current one. Two objects are two directories, also where one has replaced the other. */
  function enter(directory: Directory): void {
    if (directory !== current) {
      commands.enter(directory.path)
      things.push(maker.entry)
    }
    current = directory
    things.push(maker.entry)
  }

  function send(): void {
    if (commands.isEmpty) return
    process.send(commands.take(), things)
    things = []
  }

  async function push(bytes: Buffer, work: (piece: Buffer, from: number) => void): Promise<void> {
    for (let start = 0; start < bytes.length; start += maxPlacedBytes) {
      const piece = bytes.subarray(start, start + maxPlacedBytes)
      const from = await named(process.place(piece))
      try {
        work(piece, from)
      } finally {
        await process.placed()
        send()
      }
    }
  }

  const maker: TreeMaker = {
    entry: undefined,
    makeDirectory(parent, name, mode) {
      enter(parent)
      commands.directory(name, mode)
    },
    unlink(parent, name) {
      enter(parent)
      commands.unlink(name)
    },
    removeDirectory(parent, name) {
      enter(parent)
      commands.remove(name)
    },
    makeSymlink({ parent, name }, target, attributes) {
      enter(parent)
      commands.symlink(name, target, attributes)
    },
    makeLink(from, { parent, name }) {
      enter(parent)
      commands.link(childPath(from.parent, from.name), name)
    },
    makeFile({ parent, name }, attributes, data) {
      enter(parent)
      commands.file(name, attributes, data)
    },
    addData(data) {
      commands.data(data)
      things.push(maker.entry)
    },
    setSize(size) {
      commands.resize(size)
      things.push(maker.entry)
    },
    push,
    async idle() {
      send()
      await named(process.idle())
    },
    close: () => process.close(),
  }
  return maker
}

/** The result of a step of the process. @throws OciError that names the entry of the command that failed */
async function named<T>(step: Promise<T>): Promise<T> {
  try {
    return await step
  } catch (error) {
    if (!(error instanceof TreeFailure)) throw error
    const entry = error.thing as TarEntry | undefined
    const { code, syscall = '' } = error.cause
    if (entry !== undefined && code === 'EINVAL' && syscall.includes('chown')) {
      const { path, uid, gid } = entry
      throw needsMoreIDs(`${shown(path)} has owner ${uid}:${gid}`, Math.max(uid, gid), error.cause)
    }
    throw fileSystemError(`${entry === undefined ? '' : `entry ${shown(entry.path)}: `}${syscall}`, error.cause)
  }
}
