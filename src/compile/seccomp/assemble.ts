import { OciError } from '../../errors.ts'
import { allBits, type FilterNode, type TestNode, type Word } from './nodes.ts'

/** The most instructions that the kernel accepts: `BPF_MAXINSNS` of linux/bpf_common.h. */
export const maxInstructions: number = 4096

/** Opcodes of classic BPF (linux/bpf_common.h): the sum of class, mode or operation, and source. */
const codes = { load: 0x20, and: 0x54, jump: 0x05, return: 0x06, eq: 0x15, gt: 0x25, ge: 0x35 } as const

interface Instruction {
  readonly code: number
  readonly yes: number
  readonly no: number
  readonly k: number
}

/** The most instructions that a conditional jump can skip: its two distances have eight bits. */
const maxDistance = 255

/**
 * Encodes a filter as `struct sock_filter[]`.
 *
 * Jumps only go forwards, so the instructions are generated from the last to the first: the targets of a jump come before
 * it. A node has a second entry after its load, for predecessors that have loaded the same word.
 * @throws OciError `ERR_NOT_SUPPORTED` the filter is longer than the kernel accepts
 */
export function assembleFilter(root: FilterNode, isBigEndian: boolean): Uint8Array {
  const assembly = { backwards: [], entries: new Map(), nearest: new Map() }
  place(root, undefined, { assembly, depth: 0 })
  return encode(assembly.backwards.toReversed(), isBigEndian)
}

interface Assembly {
  /** The last instruction of the filter comes first. */
  readonly backwards: Instruction[]
  /** The index in `backwards` at which the code of a node begins, by `entryKey`. */
  readonly entries: Map<string, number>
  /** The index of the nearest instruction that leads to a node: its code, a copy of it, or a jump. */
  readonly nearest: Map<string, number>
}

interface Position {
  readonly assembly: Assembly
  readonly depth: number
}

/**
 * Generates the code of a node and of its successors, unless it exists; the accumulator holds `loaded` on entry. Returns the
 * key of its entry.
 */
function place(node: FilterNode, loaded: Word | undefined, { assembly, depth }: Position): string {
  const key = entryKey(node, loaded)
  if (assembly.entries.has(key)) return key
  if (node.kind === 'return') {
    enter(assembly, key, { code: codes.return, yes: 0, no: 0, k: node.verdict })
    return key
  }
  // Each level is an instruction of its own, so a graph that is too deep is also too long.
  if (depth > maxInstructions) throw tooLong()
  const inside = { assembly, depth: depth + 1 }
  const yes = place(node.yes, node.word, inside)
  const no = place(node.no, node.word, inside)
  const test = entryKey(node, node.word)
  // The test is one instruction: a second copy behind a second load costs no more than a jump to the first.
  if (assembly.entries.get(test) !== assembly.backwards.length - 1) enter(assembly, test, jump(node, yes, no, assembly))
  if (key !== test) {
    if (node.word.mask !== allBits) lay(assembly, { code: codes.and, yes: 0, no: 0, k: node.word.mask })
    enter(assembly, key, { code: codes.load, yes: 0, no: 0, k: node.word.offset })
  }
  return key
}

function entryKey(node: FilterNode, loaded: Word | undefined): string {
  if (node.kind === 'return') return `${node.id}`
  const isLoaded = loaded?.offset === node.word.offset && loaded.mask === node.word.mask
  return isLoaded ? `${node.id} loaded` : `${node.id}`
}

function enter(assembly: Assembly, key: string, instruction: Instruction): void {
  lay(assembly, instruction)
  assembly.entries.set(key, assembly.backwards.length - 1)
  assembly.nearest.set(key, assembly.backwards.length - 1)
}

function lay({ backwards }: Assembly, instruction: Instruction): void {
  if (backwards.length === maxInstructions) throw tooLong()
  backwards.push(instruction)
}

function jump(node: TestNode, yes: string, no: string, assembly: Assembly): Instruction {
  // A stepping stone for one way moves the target of the other further away, so both are checked until neither needs one.
  while (distance(yes, assembly) > maxDistance || distance(no, assembly) > maxDistance) {
    const [way, target] = distance(yes, assembly) > maxDistance ? [yes, node.yes] : [no, node.no]
    laySteppingStone(way, target, assembly)
  }
  return { code: codes[node.is], yes: distance(yes, assembly), no: distance(no, assembly), k: node.value }
}

/** The number of instructions that the next one has to skip to reach a node. */
function distance(key: string, { backwards, nearest }: Assembly): number {
  return backwards.length - 1 - placeOf(key, nearest)
}

function placeOf(key: string, places: ReadonlyMap<string, number>): number {
  const place = places.get(key)
  if (place === undefined) throw new Error(`the filter jumps to ${key}, which has no code`)
  return place
}

function laySteppingStone(key: string, target: FilterNode, assembly: Assembly): void {
  const { backwards, entries, nearest } = assembly
  const far = backwards.length - 1 - placeOf(key, entries)
  const stone = target.kind === 'return' ? { code: codes.return, k: target.verdict } : { code: codes.jump, k: far }
  lay(assembly, { ...stone, yes: 0, no: 0 })
  nearest.set(key, backwards.length - 1)
}

function encode(instructions: readonly Instruction[], isBigEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(instructions.length * 8)
  const view = new DataView(bytes.buffer)
  for (const [index, { code, yes, no, k }] of instructions.entries()) {
    view.setUint16(index * 8, code, !isBigEndian)
    view.setUint8(index * 8 + 2, yes)
    view.setUint8(index * 8 + 3, no)
    view.setUint32(index * 8 + 4, k, !isBigEndian)
  }
  return bytes
}

/** The error for a filter that is longer than the kernel accepts. */
export function tooLong(): OciError {
  return new OciError('ERR_NOT_SUPPORTED', `the seccomp filter has more than ${maxInstructions} instructions`, {
    pointer: '/linux/seccomp/syscalls',
    hint: 'use fewer rules with arguments',
  })
}
