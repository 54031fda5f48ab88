import { bytesOf, has, isText } from '../text.ts'
import { firstRegister, magic, maxSlots, structs, textEscape, version } from './contract.ts'
import type { OpDefinition, OperandKind } from './ops/definition.ts'
import { type OpName, ops, phases, type RegisterName, registers, type TolerableError, tolerableErrors } from './ops.ts'
import { type AnyOperand, countOf, forEachStep, type Program, type Text } from './program.ts'
import { layOut } from './structs.ts'

const { size: headerBytes, at: inHeader } = layOut(structs.program_header)
const { size: stepBytes, at: inStep } = layOut(structs.step)
/** The places of a step's fields in words of 32 bits, in halves of these, and in bytes. */
const stepWords = stepBytes / 4
const wordOf = { tolerate: inStep.tolerate / 4, arg: inStep.arg / 4, from: inStep.from / 4, undoes: inStep.undoes / 4 }
const opHalf = inStep.op / 2
/** All 64 bits. */
const none = -1

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
  const image =
    encodeWith(new StringTable(false), program, values) ?? encodeWith(new StringTable(true), program, values)
  if (image === undefined) throw new Error('the strings of a program do not have their measured lengths')
  return image
}

/** Encodes a program; undefined if a string does not have the length that `strings` measured. */
function encodeWith(strings: StringTable, program: Program, values: RegisterValues): Uint8Array | undefined {
  const lists = new ListTable(strings)
  const slots = new Map<string, number>()
  const encodeOperand = (kind: OperandKind, value: AnyOperand): number | bigint => {
    switch (kind) {
      case 'text':
        return strings.add(textOf(value as Text, values))
      case 'slot':
        return value === null ? none : slotNumber(slots, String(value), false)
      case 'newSlot':
        return slotNumber(slots, String(value), true)
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
  const table = new Uint8Array(countOf(program) * stepBytes)
  // In the byte order of this machine, whose runner it is for.
  const halves = new Uint16Array(table.buffer)
  const words = new Uint32Array(table.buffer)
  const counts = phases.map(() => 0)
  let [from, fromOffset] = [undefined as string | undefined, 0] // many steps in a row come from the same member
  forEachStep(program, (step, phase, address, undoes) => {
    const at = address * stepWords
    const phaseNumber = phases.indexOf(phase)
    counts[phaseNumber] = (counts[phaseNumber] ?? 0) + 1
    halves[2 * at + opHalf] = ops[step.op].number
    table[4 * at + inStep.phase] = phaseNumber
    if (step.ok.length > 0) words[at + wordOf.tolerate] = toleranceMask(step.ok)
    const operands = operandsOf(step.op)
    let place = at + wordOf.arg
    for (let index = 0; index < operands.length; index++) {
      const operand = operands[index] as Operand // taken apart by its indices, since an iterator takes ten times as long
      const value = step.operands[operand[0]] ?? null
      const word = typeof value === 'number' ? value : encodeOperand(operand[1], value)
      if (typeof word === 'number' && word >= 0 && word <= 0xffff_ffff) words[place] = word
      else setWord(words, place, word)
      place += 2
    }
    if (step.from !== from) {
      from = step.from
      fromOffset = strings.add(from)
    }
    words[at + wordOf.from] = fromOffset
    if (undoes !== undefined) words[at + wordOf.undoes] = undoes
  })
  return assemble(counts, table, lists.words(), strings)
}

/** Values of registers that are known before the program runs. */
export type RegisterValues = Partial<Readonly<Record<RegisterName, string>>>

type Operand = readonly [name: string, kind: OperandKind]

/** The operands of an op with their kinds, in order. */
export const operandsOf = (name: OpName): readonly Operand[] => operandTable[name] ?? []

const operandTable: Readonly<Record<string, readonly Operand[]>> = Object.fromEntries(
  Object.entries<OpDefinition>(ops).map(([name, { operands }]) => [name, Object.entries(operands)]),
)

/** Writes 64 bits at a place in words of 32. A number is not converted to a bigint first, since a program has hundreds of them. */
function setWord(words: Uint32Array, at: number, value: number | bigint): void {
  if (typeof value === 'bigint') {
    words[at] = Number(BigInt.asUintN(32, value))
    words[at + 1] = Number(BigInt.asUintN(32, value >> 32n))
    return
  }
  words[at] = value // keeps the lower half
  if (value < 0 || value > 0xffff_ffff) words[at + 1] = Math.floor(value / 0x1_0000_0000)
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

/** A longer text is a document, which no other step has; to look it up would take longer than to write it. */
const longestRepeated = 4096

/** The strings of a program, each stored once. Offset 0 is an empty string and means "none". */
class StringTable {
  readonly #offsets = new Map<string, number>()
  readonly #isExact: boolean
  /** Binary data, each with its offset and the texts between it and the one before, which are written at once. */
  readonly #binaries: { readonly offset: number; readonly bytes: Uint8Array; readonly before: readonly string[] }[] = []
  #texts: string[] = ['']
  size = 1

  /** @param isExact true to measure strings and to look for bytes that `exactText` kept; else each is taken for ASCII */
  constructor(isExact: boolean) {
    this.#isExact = isExact
  }

  add(given: string | Uint8Array): number {
    const value = this.#isExact && typeof given === 'string' && !isText(given) ? bytesOf(given) : given
    if (typeof value !== 'string') return this.#addText(value)
    const mayRepeat = value.length <= longestRepeated
    const known = mayRepeat ? this.#offsets.get(value) : undefined
    if (known !== undefined) return known
    const offset = this.size
    this.#texts.push(value)
    this.size += (this.#isExact ? utf8.encode(value).length : value.length) + 1
    if (mayRepeat) this.#offsets.set(value, offset)
    return offset
  }

  /** Adds a string that is no text. */
  #addText(value: Uint8Array): number {
    // The NUL makes the key differ from that of every text.
    const key = `\0${Buffer.from(value).toString('latin1')}`
    const known = this.#offsets.get(key)
    if (known !== undefined) return known
    if (has(key, '\0', 1)) throw nulIn(String(value))
    const offset = this.#append(value)
    this.#offsets.set(key, offset)
    return offset
  }

  /** Adds binary data. Returns its offset in the lower half and its length in the upper half. */
  addBytes(bytes: Uint8Array): bigint {
    return BigInt(this.#append(bytes)) | (BigInt(bytes.length) << 32n)
  }

  #append(bytes: Uint8Array): number {
    const offset = this.size
    this.#binaries.push({ offset, bytes, before: this.#texts })
    this.#texts = []
    this.size += bytes.length + 1
    return offset
  }

  /** Writes all parts from `start` to the end of `image`. Returns false if a text does not have its measured length. */
  write(image: Uint8Array, start: number): boolean {
    let at = start
    for (const { offset, bytes, before } of this.#binaries) {
      at += writeTexts(image, before, at)
      if (at !== start + offset) return false
      image.set(bytes, at)
      at += bytes.length + 1
    }
    return at + writeTexts(image, this.#texts, at) === image.length
  }
}

/** Writes texts, each with a NUL behind it; returns the number of bytes. */
function writeTexts(image: Uint8Array, texts: readonly string[], at: number): number {
  if (texts.length === 0) return 0
  const size = writeText(image, `${texts.join('\0')}\0`, at)
  let count = 0
  for (let nul = image.indexOf(0, at); nul !== -1 && nul < at + size; nul = image.indexOf(0, nul + 1)) count++
  const wrong = count > texts.length ? texts.find((text) => has(text, '\0')) : undefined
  if (wrong !== undefined) throw nulIn(wrong)
  return size
}

const nulIn = (text: string): Error => new Error(`a NUL byte in the string ${JSON.stringify(text)}`)

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
  return value === undefined ? (references[register] ?? '') : escaped(value)
}

const escapeByte = String.fromCharCode(textEscape)

function escaped(piece: string): string {
  return has(piece, escapeByte) ? piece.replaceAll(escapeByte, escapeByte + escapeByte) : piece
}

const references: Readonly<Record<string, string>> = Object.fromEntries(
  registers.map((register, number) => [register, String.fromCharCode(textEscape, firstRegister + number)]),
)

function toleranceMask(ok: readonly TolerableError[]): number {
  return ok.reduce((mask, name) => mask | (1 << tolerableNames.indexOf(name)), 0)
}

const tolerableNames = Object.keys(tolerableErrors)
