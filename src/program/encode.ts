import { bytesOf, has, isText } from '../text.ts'
import { firstRegister, magic, maxSlots, structs, textEscape, version } from './contract.ts'
import type { OpDefinition, OperandKind } from './ops/definition.ts'
import { type OpName, ops, phases, type RegisterName, registers, type TolerableError, tolerableErrors } from './ops.ts'
import { type AnyOperand, numbered, type Program, type Text } from './program.ts'
import { layOut } from './structs.ts'

const { size: headerBytes, at: inHeader } = layOut(structs.program_header)
const { size: stepBytes, at: inStep } = layOut(structs.step)
const none = 0xffff_ffff_ffff_ffffn

/**
 * Encodes a program for the runner: a header, the steps of each phase, the lists, the strings. The result without `values`
 * is cached, and must not be changed.
 *
 * @param values values of registers that are known already, which are written in their place
 * @see `structs` of the contract for the layout, which the runner checks whole before the first step
 */
export function encode(program: Program, values: RegisterValues = {}): Uint8Array {
  if (Object.keys(values).length > 0) return encodeAnew(program, values)
  const known = encoded.get(program)
  if (known !== undefined) return known
  const image = encodeAnew(program, values)
  encoded.set(program, image)
  return image
}

/** Programs that were encoded without values: the same program is mostly kept and run. */
const encoded = new WeakMap<Program, Uint8Array>()

/** Encodes a program as if all strings were ASCII, which nearly always holds, and else once more with exact lengths. */
function encodeAnew(program: Program, values: RegisterValues): Uint8Array {
  return encodeWith(new StringTable((text) => text.length), program, values) ?? encodeExactly(program, values)
}

function encodeExactly(program: Program, values: RegisterValues): Uint8Array {
  const image = encodeWith(new StringTable((text) => utf8.encode(text).length, bytesUnlessText), program, values)
  if (image === undefined) throw new Error('the strings of a program do not have their measured lengths')
  return image
}

/** Converts a string with bytes that `exactText` kept to these bytes; leaves text as it is. */
const bytesUnlessText = (value: string): string | Uint8Array => (isText(value) ? value : bytesOf(value))

/** Encodes a program; undefined if a string does not have the length that `strings` measured. */
function encodeWith(strings: StringTable, program: Program, values: RegisterValues): Uint8Array | undefined {
  const steps = numbered(program)
  const lists = new ListTable(strings)
  const slots = new Map<string, number>()
  const encodeOperand = (kind: OperandKind, value: AnyOperand): number | bigint => {
    switch (kind) {
      case 'slot':
        return value === null ? none : slotNumber(slots, String(value), false)
      case 'newSlot':
        return slotNumber(slots, String(value), true)
      case 'text':
        return strings.add(textOf(value as Text, values))
      case 'string':
        return value === null ? 0 : strings.add(value as string | Uint8Array)
      case 'list':
        return lists.add(value as readonly string[])
      case 'bytes':
        return strings.addBytes(value as Uint8Array)
      default:
        return value as number | bigint
    }
  }
  const table = new DataView(new ArrayBuffer(steps.length * stepBytes))
  const counts = phases.map(() => 0)
  for (const { address, phase, step, undoes } of steps) {
    const at = address * stepBytes
    const { number, operands } = definitionOf(step.op)
    const phaseNumber = phases.indexOf(phase)
    counts[phaseNumber] = (counts[phaseNumber] ?? 0) + 1
    table.setUint16(at + inStep.op, number, true)
    table.setUint8(at + inStep.phase, phaseNumber)
    if (step.ok.length > 0) table.setUint32(at + inStep.tolerate, toleranceMask(step.ok), true)
    let place = at + inStep.arg
    for (const name in operands) {
      setWord(table, place, encodeOperand(operands[name] as OperandKind, step.operands[name] ?? null))
      place += 8
    }
    table.setUint32(at + inStep.from, strings.add(step.from), true)
    if (undoes !== undefined) table.setUint32(at + inStep.undoes, undoes, true)
  }
  return assemble(counts, new Uint8Array(table.buffer), lists.words(), strings)
}

/** Values of registers that are known before the program runs. */
export type RegisterValues = Partial<Readonly<Record<RegisterName, string>>>

/** The operands of an op with their kinds, in order. */
export function operandsOf(name: OpName): readonly (readonly [name: string, kind: OperandKind])[] {
  return Object.entries(definitionOf(name).operands)
}

const definitionOf = (name: OpName): OpDefinition => ops[name]

/** Writes 64 bits. A number is not converted to a bigint first, since a program has hundreds of them. */
function setWord(view: DataView, at: number, value: number | bigint): void {
  if (typeof value === 'bigint') {
    view.setBigUint64(at, BigInt.asUintN(64, value), true)
    return
  }
  if (value === 0) return // the buffer is zeroed
  view.setUint32(at, value, true) // keeps the lower half
  if (value < 0 || value >= 2 ** 32) view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}

function assemble(
  counts: readonly number[],
  table: Uint8Array,
  lists: readonly number[],
  strings: StringTable,
): Uint8Array | undefined {
  const size = headerBytes + table.length + lists.length * 8 + strings.size
  const image = new Uint8Array(size)
  const view = new DataView(image.buffer)
  writeText(image, magic, inHeader.magic)
  view.setUint32(inHeader.version, version, true)
  view.setUint32(inHeader.size, size, true)
  counts.forEach((count, index) => {
    view.setUint32(inHeader.steps + index * 4, count, true)
  })
  view.setUint32(inHeader.list_words, lists.length, true)
  view.setUint32(inHeader.strings, strings.size, true)
  image.set(table, headerBytes)
  lists.forEach((word, index) => {
    view.setUint32(headerBytes + table.length + index * 8, word, true)
  })
  return strings.write(image, size - strings.size) ? image : undefined
}

// Buffer's functions are avoided: each is compiled when it is first called, which takes half a millisecond in all.
const utf8 = new TextEncoder()

/** Writes a text as UTF-8. @returns its number of bytes; NaN if there is no room */
function writeText(image: Uint8Array, text: string, at: number): number {
  const { read, written } = utf8.encodeInto(text, image.subarray(at))
  return read === text.length ? written : Number.NaN
}

/** The strings of a program, each stored once. Offset 0 is an empty string and means "none". */
class StringTable {
  readonly #offsets = new Map<string, number>()
  readonly #parts: (string | Uint8Array)[] = ['']
  readonly #measure: (text: string) => number
  readonly #convert: (text: string) => string | Uint8Array
  size = 1

  /**
   * @param measure returns the number of bytes of a text
   * @param convert returns the text or bytes to store for a string
   */
  constructor(measure: (text: string) => number, convert: (text: string) => string | Uint8Array = (text) => text) {
    this.#measure = measure
    this.#convert = convert
  }

  add(given: string | Uint8Array): number {
    const value = typeof given === 'string' ? this.#convert(given) : given
    // The NUL makes the key of bytes differ from that of every text.
    const key = typeof value === 'string' ? value : `\0${Buffer.from(value).toString('latin1')}`
    const known = this.#offsets.get(key)
    if (known !== undefined) return known
    if (has(key, '\0', typeof value === 'string' ? 0 : 1)) {
      throw new Error(`a NUL byte in the string ${JSON.stringify(String(value))}`)
    }
    const offset = this.#append(value)
    this.#offsets.set(key, offset)
    return offset
  }

  /** Adds binary data. Returns its offset in the lower half and its length in the upper half. */
  addBytes(bytes: Uint8Array): bigint {
    return BigInt(this.#append(bytes)) | (BigInt(bytes.length) << 32n)
  }

  /** Writes all parts from `start` to the end of `image`. Returns false if a text does not have its measured length. */
  write(image: Uint8Array, start: number): boolean {
    let at = start
    let text = '' // consecutive strings, which are written at once
    let end = start
    for (const part of this.#parts) {
      if (typeof part === 'string') {
        text += `${part}\0`
        end += this.#measure(part) + 1
        continue
      }
      at += writeText(image, text, at)
      if (at !== end) return false
      text = ''
      image.set(part, at)
      at = end += part.length + 1
    }
    return at + writeText(image, text, at) === image.length && end === image.length
  }

  #append(part: string | Uint8Array): number {
    const offset = this.size
    this.#parts.push(part)
    this.size += (typeof part === 'string' ? this.#measure(part) : part.length) + 1
    return offset
  }
}

/** Lists of strings. Steps with the same array share a list, so that they all get the HOME that `default_home` adds to it. */
class ListTable {
  readonly #strings: StringTable
  readonly #starts = new Map<readonly string[], number>()
  readonly #words: number[] = []

  constructor(strings: StringTable) {
    this.#strings = strings
  }

  add(values: readonly string[]): number {
    const known = this.#starts.get(values)
    if (known !== undefined) return known
    const start = this.#words.length
    this.#starts.set(values, start)
    for (const value of values) this.#words.push(this.#strings.add(value))
    this.#words.push(0, 0) // the first ends the list; the second is room for an entry of default_home
    return start
  }

  words(): readonly number[] {
    return this.#words.length === 0 ? [0] : this.#words
  }
}

function slotNumber(slots: Map<string, number>, name: string, isNew: boolean): number {
  const known = slots.get(name)
  if (known !== undefined) return known
  if (!isNew) throw new Error(`slot "${name}" is read before any step fills it`)
  if (slots.size === maxSlots) throw new Error(`more than ${maxSlots} slots`)
  const number = slots.size
  slots.set(name, number)
  return number
}

function textOf(value: Text, values: RegisterValues): string {
  if (typeof value === 'string') return escaped(value)
  let text = ''
  for (const piece of value) text += typeof piece === 'string' ? escaped(piece) : textOfRegister(piece.register, values)
  return text
}

function textOfRegister(register: RegisterName, values: RegisterValues): string {
  const value = values[register]
  return value === undefined ? reference(register) : escaped(value)
}

const escapeByte = String.fromCharCode(textEscape)

function escaped(piece: string): string {
  return has(piece, escapeByte) ? piece.replaceAll(escapeByte, escapeByte + escapeByte) : piece
}

function reference(register: RegisterName): string {
  return String.fromCharCode(textEscape, firstRegister + registers.indexOf(register))
}

function toleranceMask(ok: readonly TolerableError[]): number {
  return ok.reduce((mask, name) => mask | (1 << tolerableNames.indexOf(name)), 0)
}

const tolerableNames = Object.keys(tolerableErrors)
