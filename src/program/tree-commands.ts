import { treeFlags as flags, treeKinds as kinds, structs, treeTextBytes } from './contract.ts'
import { aligned, layOut } from './structs.ts'

/** Attributes that a file gets when it is complete. */
export interface FileAttributes {
  /** Undefined when the file has the right owner already. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined
  /** Modification time: seconds since the epoch, rounded down, and the rest. */
  readonly time: { readonly seconds: number; readonly nanoseconds: number }
}

/** The attributes of a regular file. */
export interface RegularAttributes extends FileAttributes {
  readonly mode: number
}

/** Bytes that have been placed, `from` and `length`, and their position in a file. */
export interface FileData {
  readonly from: number
  readonly length: number
  readonly position: number
  /** True for the last data of the file. */
  readonly isLast: boolean
}

/**
 * Commands for the process that makes the files of a tree, in the form in which it takes them. Names and texts are bytes,
 * one character (U+0000 to U+00FF) each, without NULs; names are of the directory that was entered last. Each function but
 * `take` adds one command.
 *
 * @throws Error a name or a text is longer than the contract allows
 */
export interface TreeCommands {
  /** True when there are no commands. */
  readonly isEmpty: boolean
  enter(path: string): void
  directory(name: string, mode: number): void
  unlink(name: string): void
  /** Removes a directory and everything beneath it. */
  remove(name: string): void
  symlink(name: string, target: string, attributes: FileAttributes): void
  /** @param from path of the file from the root */
  link(from: string, name: string): void
  file(name: string, attributes: RegularAttributes, data: FileData): void
  /** More data of the file that was made last. */
  data(data: FileData): void
  /** Ends the file that was made last, which gets this size. */
  resize(size: number): void
  /** Removes and returns all commands, with one at their end that asks for a report. */
  take(): Uint8Array
}

const { size: headBytes, at } = layOut(structs.tree_command)
const firstBytes = 64 * 1024

export function createTreeCommands(): TreeCommands {
  let bytes = Buffer.alloc(firstBytes)
  let words = wordsOf(bytes)
  let used = 0

  /** Adds a command, and returns the index of its first word: the kind, and the flags in the upper half. */
  function add(kind: number, name: string, text: string): number {
    if (name.length >= treeTextBytes || text.length >= treeTextBytes)
      throw new Error('a name is too long for a command')
    const nameBytes = name === '' ? 0 : name.length + 1
    const textBytes = text === '' ? 0 : text.length + 1
    const start = used
    used += aligned(headBytes + nameBytes + textBytes, 8)
    if (used > bytes.length) grow()
    words[start / 4] = kind
    words[(start + at.name) / 4] = nameBytes + textBytes * 0x1_0000
    if (nameBytes > 0) bytes.write(name, start + headBytes, 'latin1')
    if (textBytes > 0) bytes.write(text, start + headBytes + nameBytes, 'latin1')
    return start / 4
  }

  function grow(): void {
    const larger = Buffer.alloc(Math.max(used, bytes.length * 2))
    bytes.copy(larger)
    bytes = larger
    words = wordsOf(larger)
  }

  function flag(index: number, set: number): void {
    words[index] = (words[index] ?? 0) + set * 0x1_0000
  }

  function setAttributes(index: number, { owner, time }: FileAttributes): void {
    flag(index, owner === undefined ? flags.time : flags.time + flags.owner)
    words[index + at.uid / 4] = owner?.uid ?? 0
    words[index + at.gid / 4] = owner?.gid ?? 0
    words[index + at.nanoseconds / 4] = time.nanoseconds
    setWide(index + at.seconds / 4, time.seconds)
  }

  function setData(index: number, { from, length, position, isLast }: FileData): void {
    if (isLast) flag(index, flags.complete)
    words[index + at.from / 4] = from
    words[index + at.length / 4] = length
    setWide(index + at.position / 4, position)
  }

  /** Sets 64 bits, which may be negative. */
  function setWide(index: number, value: number): void {
    words[index] = value % 0x1_0000_0000
    words[index + 1] = Math.floor(value / 0x1_0000_0000)
  }

  return {
    get isEmpty() {
      return used === 0
    },
    enter(path) {
      add(kinds.enter, path, '')
    },
    directory(name, mode) {
      words[add(kinds.directory, name, '') + at.mode / 4] = mode
    },
    unlink(name) {
      add(kinds.unlink, name, '')
    },
    remove(name) {
      add(kinds.remove, name, '')
    },
    symlink(name, target, attributes) {
      setAttributes(add(kinds.symlink, name, target), attributes)
    },
    link(from, name) {
      add(kinds.link, name, from)
    },
    file(name, attributes, data) {
      const index = add(kinds.file, name, '')
      words[index + at.mode / 4] = attributes.mode
      // Data and another owner clear setuid and setgid bits, so the mode is set once more.
      if ((attributes.mode & 0o6000) !== 0) flag(index, flags.mode)
      setAttributes(index, attributes)
      setData(index, data)
    },
    data(data) {
      setData(add(kinds.data, '', ''), data)
    },
    resize(size) {
      const index = add(kinds.data, '', '')
      flag(index, flags.resize)
      setData(index, { from: 0, length: 0, position: size, isLast: true })
    },
    take() {
      add(kinds.done, '', '')
      const taken = bytes.subarray(0, used)
      bytes = Buffer.alloc(firstBytes)
      words = wordsOf(bytes)
      used = 0
      return taken
    },
  }
}

const wordsOf = (bytes: Buffer): Uint32Array => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
