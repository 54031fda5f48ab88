import {
  type OperandKind,
  type OpName,
  ops,
  phases,
  type RegisterName,
  registers,
  type TolerableError,
  tolerableErrors,
} from './ops.ts'
import { type AnyOperand, type NumberedStep, numbered, type Program, type Text } from './program.ts'

/** The first bytes of an encoded program, and the version that the runner of the same release reads. */
export const magic = 'BTPR'
export const version = 1
/** The first bytes of a kept program: guards, then an encoded program. */
export const keptMagic = 'BTKP'
/** In a text: this byte and a letter stand for a register ('A' is the first), twice this byte for itself. */
export const textEscape = 1
export const firstRegister: number = 'A'.charCodeAt(0)

const headerBytes = 64
const stepBytes = 64
const maxSlots = 64
const none = 0xffff_ffff_ffff_ffffn

/**
 * The bytes that the runner executes: a header, the steps of each phase, the lists, the strings.
 *
 * @see native/program.h for the layout, which the runner checks whole before the first step
 */
export function encode(program: Program): Uint8Array {
  const steps = numbered(program)
  const strings = new StringTable()
  const lists = new ListTable(strings)
  const slots = new Map<string, bigint>()
  const encodeOperand = (kind: OperandKind, value: AnyOperand): bigint => {
    switch (kind) {
      case 'slot':
        return value === null ? none : slotNumber(slots, String(value), false)
      case 'newSlot':
        return slotNumber(slots, String(value), true)
      case 'text':
        return strings.add(textBytes(value as Text))
      case 'string':
        return value === null ? 0n : strings.add(stringBytes(value as string | Uint8Array))
      case 'list':
        return lists.add(value as readonly string[])
      case 'bytes':
        return strings.addBytes(value as Uint8Array)
      default:
        return BigInt.asUintN(64, BigInt(value as number | bigint))
    }
  }
  const table = new DataView(new ArrayBuffer(steps.length * stepBytes))
  for (const { address, phase, step, undoes } of steps) {
    const at = address * stepBytes
    table.setUint16(at, ops[step.op].number, true)
    table.setUint8(at + 2, phases.indexOf(phase))
    table.setUint32(at + 4, toleranceMask(step.ok), true)
    operandsOf(step.op).forEach(([name, kind], index) => {
      table.setBigUint64(at + 8 + index * 8, encodeOperand(kind, step.operands[name] ?? null), true)
    })
    table.setUint32(at + 56, Number(strings.add(stringBytes(step.from))), true)
    table.setUint32(at + 60, undoes ?? 0, true)
  }
  return assemble(steps, new Uint8Array(table.buffer), lists.words(), strings.bytes())
}

/** The operands that an op declares, in order. */
export function operandsOf(name: OpName): readonly (readonly [name: string, kind: OperandKind])[] {
  return Object.entries(ops[name].operands)
}

function assemble(
  steps: readonly NumberedStep[],
  table: Uint8Array,
  lists: readonly bigint[],
  strings: Uint8Array,
): Uint8Array {
  const size = headerBytes + table.length + lists.length * 8 + strings.length
  const image = new Uint8Array(size)
  const view = new DataView(image.buffer)
  image.set(new TextEncoder().encode(magic))
  view.setUint32(4, version, true)
  view.setUint32(8, size, true)
  phases.forEach((phase, index) => {
    view.setUint32(12 + index * 4, steps.filter((step) => step.phase === phase).length, true)
  })
  view.setUint32(28, lists.length, true)
  view.setUint32(32, strings.length, true)
  image.set(table, headerBytes)
  lists.forEach((word, index) => {
    view.setBigUint64(headerBytes + table.length + index * 8, word, true)
  })
  image.set(strings, size - strings.length)
  return image
}

/** Strings, each once; offset 0 holds an empty one and stands for "none". */
class StringTable {
  readonly #offsets = new Map<string, bigint>()
  readonly #parts: Uint8Array[] = [new Uint8Array(1)]
  #size = 1

  add(bytes: Uint8Array): bigint {
    const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
    const known = this.#offsets.get(key)
    if (known !== undefined) return known
    const offset = this.#append(bytes)
    this.#offsets.set(key, offset)
    return offset
  }

  /** Binary data: its offset, and its length in the upper half. */
  addBytes(bytes: Uint8Array): bigint {
    return this.#append(bytes) | (BigInt(bytes.length) << 32n)
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#size)
    let at = 0
    for (const part of this.#parts) {
      all.set(part, at)
      at += part.length
    }
    return all
  }

  #append(bytes: Uint8Array): bigint {
    const offset = this.#size
    this.#parts.push(bytes, new Uint8Array(1))
    this.#size += bytes.length + 1
    return BigInt(offset)
  }
}

/** Lists of strings. Steps that are given the same array share it: what default_home adds, all of them see. */
class ListTable {
  readonly #strings: StringTable
  readonly #starts = new Map<readonly string[], bigint>()
  readonly #words: bigint[] = []

  constructor(strings: StringTable) {
    this.#strings = strings
  }

  add(values: readonly string[]): bigint {
    const known = this.#starts.get(values)
    if (known !== undefined) return known
    const start = BigInt(this.#words.length)
    this.#starts.set(values, start)
    for (const value of values) this.#words.push(this.#strings.add(stringBytes(value)))
    this.#words.push(0n, 0n) // the second end mark is room for default_home
    return start
  }

  words(): readonly bigint[] {
    return this.#words.length === 0 ? [0n] : this.#words
  }
}

function slotNumber(slots: Map<string, bigint>, name: string, isNew: boolean): bigint {
  const known = slots.get(name)
  if (known !== undefined) return known
  if (!isNew) throw new Error(`slot "${name}" is read before any step fills it`)
  if (slots.size === maxSlots) throw new Error(`more than ${maxSlots} slots`)
  const number = BigInt(slots.size)
  slots.set(name, number)
  return number
}

function stringBytes(value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
  if (bytes.includes(0)) throw new Error(`a NUL byte in the string ${JSON.stringify(String(value))}`)
  return bytes
}

function textBytes(value: Text): Uint8Array {
  const pieces = typeof value === 'string' ? [value] : value
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? escaped(piece) : reference(piece.register))))
}

function escaped(piece: string): Uint8Array {
  return stringBytes(piece.replaceAll('\x01', '\x01\x01'))
}

function reference(register: RegisterName): Uint8Array {
  return Uint8Array.of(textEscape, firstRegister + registers.indexOf(register))
}

function toleranceMask(ok: readonly TolerableError[]): number {
  const names = Object.keys(tolerableErrors)
  return ok.reduce((mask, name) => mask | (1 << names.indexOf(name)), 0)
}
