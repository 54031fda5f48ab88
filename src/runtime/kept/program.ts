import type { Guard } from '../../host/door.ts'
import { guardKinds, keptMagic } from '../../program/contract.ts'
import { encode, version } from '../../program/encode.ts'
import type { Program } from '../../program/program.ts'
import { bytesOf } from '../../text.ts'
import { ownBinary } from '../own-binary.ts'
import { withoutCommand } from '../process-text.ts'
import { buildID } from './build-id.ts'
import { keepFile } from './files.ts'

/** The call that a kept program is for, and what it was compiled from. */
export interface KeptOrigin {
  /** As `describeCall` has it. */
  readonly call: string
  /** Absolute. */
  readonly bundle: string
  /** The state root, absolute. */
  readonly root: string
  /** What the door has recorded. */
  readonly guards: readonly Guard[]
}

const maxKept = 64
const maxKeptOfContainer = 32
const guardBytes = 72
const headerBytes = 16

/**
 * Keeps a program where the front finds it: the next `run` or `create` of the same bundle needs no compiling, as long as
 * every fact that it was compiled from is the same.
 *
 * It is a file in the state root, which only the caller may write to and where only directories are containers; at most
 * 64 are kept, and the oldest quarter goes first: engines, whose bundles never come again, leave 50 KB for each. A program
 * that cannot be kept is no failure: it is compiled again.
 */
export function keepProgram(program: Program, { call, bundle, root, guards }: KeptOrigin): void {
  keep(root, [call, bundle, root], maxKept, program, guards)
}

/** What one more process of a container was compiled from. */
export interface KeptExecOrigin {
  readonly call: string
  /** The whole file that describes the process, if there is one. */
  readonly processText: string | undefined
  /** Of the container's state. */
  readonly directory: string
  readonly guards: readonly Guard[]
}

/**
 * Keeps the program of an `exec` in the container's directory. Its command is what the next call has for one, also where a
 * file describes the process: engines write one each time, and but for the command all of them say the same.
 */
export function keepExecProgram(program: Program, { call, processText, directory, guards }: KeptExecOrigin): void {
  const process = processText === undefined ? [] : [withoutCommand(processText)]
  if (process.includes(undefined)) return
  keep(directory, [call, directory, ...process], maxKeptOfContainer, program, guards)
}

/** Another installation, of another version perhaps, keeps its own programs: the key names the front and its build. */
function keep(
  directory: string,
  words: readonly (string | undefined)[],
  count: number,
  program: Program,
  guards: readonly Guard[],
): void {
  const key = [...words, ownBinary('bundle-tool'), buildID].join('\n')
  const content = (): Buffer => keptFile(program, [{ kind: 'key', text: key }, ...guards])
  keepFile({ directory, prefix: '.program-', most: count }, hash(key), content)
}

/** A header, the guards, the program: see struct kept_header and struct guard in native/front/kept.c. */
function keptFile(program: Program, guards: readonly Guard[]): Buffer {
  const parts = guards.map(encodeGuard)
  const header = Buffer.alloc(headerBytes)
  header.write(keptMagic)
  header.writeUInt32LE(version, 4)
  header.writeUInt32LE(guards.length, 8)
  header.writeUInt32LE(headerBytes + parts.reduce((sum, part) => sum + part.length, 0), 12)
  return Buffer.concat([header, ...parts, encode(program)])
}

function encodeGuard({ kind, text, values = [], content: bytes = new Uint8Array() }: Guard): Buffer {
  const head = Buffer.alloc(guardBytes)
  const textBytes = bytesOf(`${text}\0`)
  head.writeUInt32LE(guardKinds[kind], 0)
  head.writeUInt32LE(textBytes.length, 4)
  values.forEach((value, index) => {
    head.writeBigUInt64LE(BigInt.asUintN(64, value), 8 + index * 8)
  })
  return Buffer.concat([head, padded(textBytes), padded(bytes)])
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes], (bytes.length + 7) & ~7)
}

/** FNV-1a in 64 bits, as the front computes it. */
function hash(key: string): string {
  const value = bytesOf(key).reduce(
    (sum, byte) => ((sum ^ BigInt(byte)) * 0x100000001b3n) & (2n ** 64n - 1n),
    0xcbf29ce484222325n,
  )
  return value.toString(16).padStart(16, '0')
}
