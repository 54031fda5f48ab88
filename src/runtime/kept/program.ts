import type { Guard } from '../../host/door.ts'
import { fnvOffset, fnvPrime, guardKinds, keptMagic, keptPrefix, structs, version } from '../../program/contract.ts'
import { encode } from '../../program/encode.ts'
import type { Program } from '../../program/program.ts'
import { aligned, layOut } from '../../program/structs.ts'
import { bytesOf } from '../../text.ts'
import { ownBinary } from '../own-binary.ts'
import { withoutCommand } from '../process-text.ts'
import { buildID } from './build-id.ts'
import { keepFile } from './files.ts'

/** The call of a kept program, and the facts that the program was compiled from. */
export interface KeptOrigin {
  /** The call as described by `describeCall`. */
  readonly call: string
  /** Absolute path of the bundle. */
  readonly bundle: string
  /** The state root, absolute. */
  readonly root: string
  /** The guards that the door has recorded. */
  readonly guards: readonly Guard[]
}

const maxKept = 64
const maxKeptOfContainer = 32
const { size: guardBytes, at: inGuard } = layOut(structs.guard)
const { size: headerBytes, at: inHeader } = layOut(structs.kept_header)

/**
 * Keeps a program where the front finds it: the next `run` or `create` of the same bundle needs no compiling, as long
 * as every fact that it was compiled from is the same.
 *
 * The file is in the state root, which only the caller may write to and where only directories are containers. At most
 * 64 programs are kept, and the oldest quarter is removed first: bundles of engines never come again, and each leaves
 * 50 KB. A program that cannot be kept is no error: it is compiled again.
 */
export function keepProgram(program: Program, { call, bundle, root, guards }: KeptOrigin): void {
  keep(root, [call, bundle, root], maxKept, program, guards)
}

/** Keeps a program for a call that names no bundle, as `keepProgram` does. */
export function keepCallProgram(program: Program, { call, root, guards }: Omit<KeptOrigin, 'bundle'>): void {
  keep(root, [call, root], maxKept, program, guards)
}

/** The facts from which the program of an `exec` was compiled. */
export interface KeptExecOrigin {
  readonly call: string
  /** The whole text of the file that describes the process, if there is one. */
  readonly processText: string | undefined
  /** The directory of the container's state. */
  readonly directory: string
  readonly guards: readonly Guard[]
}

/**
 * Keeps the program of an `exec` in the container's directory. The program serves for any command, also where a file
 * describes the process: engines write such a file for each `exec`, and the files differ only in the command.
 */
export function keepExecProgram(program: Program, { call, processText, directory, guards }: KeptExecOrigin): void {
  const process = processText === undefined ? [] : [withoutCommand(processText)]
  if (process.includes(undefined)) return
  keep(directory, [call, directory, ...process], maxKeptOfContainer, program, guards)
}

/**
 * Keeps a program under a key that names the front and its build: another installation, perhaps of another version,
 * keeps its own programs.
 */
function keep(
  directory: string,
  words: readonly (string | undefined)[],
  count: number,
  program: Program,
  guards: readonly Guard[],
): void {
  const key = [...words, ownBinary('bundle-tool'), buildID].join('\n')
  const content = (): Uint8Array => keptFile(program, [{ kind: 'key', text: key }, ...guards])
  keepFile({ directory, prefix: keptPrefix, most: count }, hash(key), content)
}

/**
 * The content of a kept program's file: a header, the guards, the program, laid out as in `structs` of the contract.
 */
function keptFile(program: Program, guards: readonly Guard[]): Uint8Array {
  const image = encode(program)
  const parts = guards.map(partsOf)
  const start = parts.reduce((sum, { size }) => sum + size, headerBytes)
  const file = new Uint8Array(start + image.length)
  const view = new DataView(file.buffer)
  file.set(bytesOf(keptMagic), inHeader.magic)
  view.setUint32(inHeader.version, version, true)
  view.setUint32(inHeader.guards, guards.length, true)
  view.setUint32(inHeader.program, start, true)
  let at = headerBytes
  for (const { guard, text, content, size } of parts) {
    view.setUint32(at + inGuard.kind, guardKinds[guard.kind], true)
    view.setUint32(at + inGuard.text, text.length, true)
    guard.values?.forEach((value, index) => {
      view.setBigUint64(at + inGuard.value + index * 8, BigInt.asUintN(64, value), true)
    })
    file.set(text, at + guardBytes)
    if (content !== undefined) file.set(content, at + guardBytes + aligned(text.length, 8))
    at += size
  }
  file.set(image, start)
  return file
}

interface GuardParts {
  readonly guard: Guard
  readonly text: Uint8Array
  readonly content: Uint8Array | undefined
  /** Each part begins at a multiple of eight bytes. */
  readonly size: number
}

function partsOf(guard: Guard): GuardParts {
  const text = bytesOf(`${guard.text}\0`)
  const { content } = guard
  return { guard, text, content, size: guardBytes + aligned(text.length, 8) + aligned(content?.length ?? 0, 8) }
}

/** FNV-1a in 64 bits, as the front computes it. */
function hash(key: string): string {
  const value = bytesOf(key).reduce((sum, byte) => ((sum ^ BigInt(byte)) * fnvPrime) & (2n ** 64n - 1n), fnvOffset)
  return value.toString(16).padStart(16, '0')
}
