import { lstatSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ProbedFacts } from '../host/facts.ts'
import { encode, keptMagic, version } from '../program/encode.ts'
import type { Program } from '../program/program.ts'
import { keepFile } from './kept-files.ts'
import { withoutCommand } from './process-text.ts'

/** What a kept program is for, and what it was compiled from. */
export interface KeptOrigin {
  /** As `describeCall` has it. */
  readonly call: string
  /** Absolute. */
  readonly bundle: string
  /** Absolute. */
  readonly rootfs: string
  /** The state root, absolute. */
  readonly root: string
  readonly facts: ProbedFacts
}

const kinds = { key: 1, identity: 2, place: 3, present: 4, absent: 5, content: 6, caller: 7, kernel: 8 } as const

/** One thing that must still be as it was; `native/front.c` compares. */
interface Guard {
  readonly kind: number
  readonly text: string
  readonly values?: readonly bigint[]
  readonly content?: Uint8Array
}

const maxKept = 64
const maxKeptOfContainer = 32
const guardBytes = 72
const headerBytes = 16

/**
 * Keeps a program where the front finds it: the next `run` or `create` of the same bundle needs no compiling, as long as
 * everything that `compile` looked at is the same.
 *
 * It is a file in the state root, which only the caller may write to and where only directories are containers; at most
 * 64 are kept, and the oldest quarter goes first: engines, whose bundles never come again, leave 50 KB for each. A program
 * that cannot be kept is no failure: it is compiled again.
 */
export function keepProgram(program: Program, { call, bundle, rootfs, root, facts }: KeptOrigin): void {
  const key = [call, bundle, root, ownFile('bundle-tool')].join('\n')
  keep(root, key, maxKept, program, () => [identity(`${bundle}/config.json`), place(rootfs), ...hostGuards(facts)])
}

/** What one more process of a container was compiled from. */
export interface KeptExecOrigin {
  readonly call: string
  /** The whole file that describes the process, if there is one. */
  readonly processText: string | undefined
  /** Of the container. */
  readonly bundle: string
  /** Of the container's state. */
  readonly directory: string
  readonly facts: ProbedFacts
  /** Files that the choice of cgroups was read from. */
  readonly cgroupFiles: readonly string[]
}

/**
 * Keeps the program of an `exec` in the container's directory. Its command is what the next call has for one, also where a
 * file describes the process: engines write one each time, and but for the command all of them say the same.
 */
export function keepExecProgram(
  program: Program,
  { call, processText, bundle, directory, facts, cgroupFiles }: KeptExecOrigin,
): void {
  const process = processText === undefined ? [] : [withoutCommand(processText)]
  if (process.includes(undefined)) return
  const key = [call, directory, ...process, ownFile('bundle-tool')].join('\n')
  keep(directory, key, maxKeptOfContainer, program, () => [
    identity(`${directory}/state.json`),
    identity(`${bundle}/config.json`),
    ...cgroupFiles.map(content),
    ...hostGuards(facts),
  ])
}

function keep(directory: string, key: string, count: number, program: Program, guards: () => readonly Guard[]): void {
  const content = (): Buffer => keptFile(program, [{ kind: kinds.key, text: key }, ...guards()])
  keepFile({ directory, prefix: '.program-', most: count }, hash(key), content)
}

/** Every fact of `compile`, and everything it is read from. */
function hostGuards(facts: ProbedFacts): readonly Guard[] {
  const ownFiles = ['bundle-tool', 'bin/cli.js', 'bin/compiler.js', 'bin/seccomp.js'].map(ownFile)
  return [
    { kind: kinds.caller, text: '', values: [BigInt(facts.euid), BigInt(facts.egid), facts.capabilities] },
    { kind: kinds.kernel, text: `${kernelFact('osrelease')} ${kernelFact('version')}` },
    content('/proc/self/cgroup'),
    content('/proc/self/uid_map'),
    ...facts.cgroups.hierarchies.map(({ mountPoint }) => place(mountPoint)),
    ...[...facts.probed].map((path) => ({ kind: exists(path) ? kinds.present : kinds.absent, text: path })),
    ...ownFiles.filter(exists).map(identity),
  ]
}

/** Another installation, of another version perhaps, keeps its own programs. */
const ownFile = (path: string): string => join(import.meta.dirname, '..', path)

/** As uname(2) has it; node:os takes ten times as long to be loaded. */
function kernelFact(name: 'osrelease' | 'version'): string {
  return readFileSync(`/proc/sys/kernel/${name}`, 'utf8').trimEnd()
}

function identity(path: string): Guard {
  const { dev, ino, mode, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
  const second = 1_000_000_000n
  const values = [dev, ino, mode, size, mtimeNs / second, mtimeNs % second, ctimeNs / second, ctimeNs % second]
  return { kind: kinds.identity, text: path, values }
}

/** A directory that things are in: which one it is, not what is in it. */
function place(path: string): Guard {
  const { dev, ino, mode } = lstatSync(path, { bigint: true })
  return { kind: kinds.place, text: path, values: [dev, ino, mode] }
}

function content(path: string): Guard {
  const bytes = readFileSync(path)
  return { kind: kinds.content, text: path, values: [BigInt(bytes.length)], content: bytes }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

/** A header, the guards, the program: see struct kept_header and struct guard in native/front.c. */
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
  const textBytes = Buffer.from(`${text}\0`)
  head.writeUInt32LE(kind, 0)
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
  const value = Buffer.from(key).reduce(
    (sum, byte) => ((sum ^ BigInt(byte)) * 0x100000001b3n) & (2n ** 64n - 1n),
    0xcbf29ce484222325n,
  )
  return value.toString(16).padStart(16, '0')
}
