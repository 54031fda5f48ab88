import { OciError } from '../../errors.ts'
import { allBits, type FilterNode, type TestNode, type Word } from './nodes.ts'

/** The most instructions that the kernel accepts: `BPF_MAXINSNS` of linux/bpf_common.h. */
export const maxInstructions: number = 4096

/** Opcodes of classic BPF (linux/bpf_common.h): the sum of class, mode or operation, and source. */
const codes = { load: 0x20, and: 0x54, jump: 0x05, return: 0x06, eq: 0x15, gt: 0x25, ge: 0x35 } as const

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
  // A node has a greater id than those that it leads to.
  const places = (): Int32Array => new Int32Array(2 * (root.id + 1)).fill(noPlace)
  const assembly = { backwards: [], length: 0, depth: 0, entries: places(), nearest: places(), isBigEndian }
  place(root, undefined, assembly)
  return inOrder(assembly)
}

interface Assembly {
  /** The words of the instructions, the second of each first; the last instruction of the filter comes first. */
  readonly backwards: number[]
  /** The number of instructions. */
  length: number
  /** The number of nodes whose successors are being placed. */
  depth: number
  /** The index of the instruction at which the code of a node begins, by `entryKey`. */
  readonly entries: Int32Array
  /** The index of the nearest instruction that leads to a node: its code, a copy of it, or a jump. */
  readonly nearest: Int32Array
  readonly isBigEndian: boolean
}

const noPlace = -1

/**
 * Generates the code of a node and of its successors, unless it exists; the accumulator holds `loaded` on entry. Returns the
 * key of its entry.
 */
function place(node: FilterNode, loaded: Word | undefined, assembly: Assembly): number {
  const key = entryKey(node, loaded)
  if (assembly.entries[key] !== noPlace) return key
  if (node.kind === 'return') {
    lay(assembly, codes.return, node.verdict)
    enter(assembly, key)
    return key
  }
  // Each level is an instruction of its own, so a graph that is too deep is also too long.
  if (assembly.depth++ > maxInstructions) throw tooLong()
  const yes = place(node.yes, node.word, assembly)
  const no = place(node.no, node.word, assembly)
  assembly.depth--
  const test = 2 * node.id + 1
  // The test is one instruction: a second copy behind a second load costs no more than a jump to the first.
  if (assembly.entries[test] !== assembly.length - 1) {
    layJump(node, yes, no, assembly)
    enter(assembly, test)
  }
  if (key !== test) {
    if (node.word.mask !== allBits) lay(assembly, codes.and, node.word.mask)
    lay(assembly, codes.load, node.word.offset)
    enter(assembly, key)
  }
  return key
}

/** The key of the entry of a node: an odd one for the entry at which its word is loaded. */
function entryKey(node: FilterNode, loaded: Word | undefined): number {
  if (node.kind === 'return') return 2 * node.id
  const isLoaded = loaded?.offset === node.word.offset && loaded.mask === node.word.mask
  return isLoaded ? 2 * node.id + 1 : 2 * node.id
}

/** Makes the instruction that was laid last an entry. */
function enter({ entries, nearest, length }: Assembly, key: number): void {
  entries[key] = length - 1
  nearest[key] = length - 1
}

function lay(assembly: Assembly, code: number, k: number, yes = 0, no = 0): void {
  if (assembly.length === maxInstructions) throw tooLong()
  const first = assembly.isBigEndian ? (code << 16) | (yes << 8) | no : code | (yes << 16) | (no << 24)
  assembly.backwards.push(k, first)
  assembly.length++
}

function layJump(node: TestNode, yes: number, no: number, assembly: Assembly): void {
  // A stepping stone for one way moves the target of the other further away, so both are checked until neither needs one.
  while (distance(yes, assembly) > maxDistance || distance(no, assembly) > maxDistance) {
    const [way, target] = distance(yes, assembly) > maxDistance ? [yes, node.yes] : [no, node.no]
    laySteppingStone(way, target, assembly)
  }
  lay(assembly, codes[node.is], node.value, distance(yes, assembly), distance(no, assembly))
}

/** The number of instructions that the next one has to skip to reach a node. */
function distance(key: number, { length, nearest }: Assembly): number {
  return length - 1 - (nearest[key] ?? noPlace)
}

function laySteppingStone(key: number, target: FilterNode, assembly: Assembly): void {
  const far = assembly.length - 1 - (assembly.entries[key] ?? noPlace)
  if (target.kind === 'return') lay(assembly, codes.return, target.verdict)
  else lay(assembly, codes.jump, far)
  assembly.nearest[key] = assembly.length - 1
}

function inOrder({ backwards, isBigEndian }: Assembly): Uint8Array {
  const words = new Uint32Array(backwards).reverse()
  if (isBigEndian !== isBigEndianHere()) swapBytes(words)
  return new Uint8Array(words.buffer)
}

const isBigEndianHere = (): boolean => new Uint8Array(Uint32Array.of(1).buffer)[0] === 0

function swapBytes(words: Uint32Array): void {
  const view = new DataView(words.buffer)
  for (const [index, word] of words.entries()) view.setUint32(4 * index, word, isBigEndianHere())
}

/** The error for a filter that is longer than the kernel accepts. */
export function tooLong(): OciError {
  return new OciError('ERR_NOT_SUPPORTED', `the seccomp filter has more than ${maxInstructions} instructions`, {
    pointer: '/linux/seccomp/syscalls',
    hint: 'use fewer rules with arguments',
  })
}
