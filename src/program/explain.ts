import { printable } from '../text.ts'
import { barrierName } from './contract.ts'
import { operandsOf } from './encode.ts'
import {
  capabilityNames,
  cloneFlags,
  mountAttributes,
  mountFlags,
  openFlags,
  prctl,
  resolveKind,
  resource,
  treeFlags,
} from './flags.ts'
import type { OperandKind } from './ops/definition.ts'
import { type AnyOperand, type NumberedStep, numbered, type Program, type Step } from './program.ts'

/** One step in the form of the listing. */
export interface ExplainedStep {
  readonly address: number
  readonly phase: string
  readonly op: string
  readonly operands: string
  readonly from: string
}

const longestShown = 160

/** Lists every step of the program, in order, with its operands as text. */
export function explainProgram(program: Program): readonly ExplainedStep[] {
  return numbered(program).map((entry) => ({
    address: entry.address,
    phase: entry.phase,
    op: entry.step.op,
    operands: [...explainOperands(entry.step), ...marks(entry)].join(' '),
    from: entry.step.from,
  }))
}

/** Formats the listing, with one step per line, in stable columns. */
export function formatExplanation(steps: readonly ExplainedStep[]): string {
  const width = Math.min(72, Math.max(8, ...steps.map((step) => step.operands.length)))
  const line = (address: string, phase: string, name: string, operands: string, from: string): string =>
    `${address.padStart(4)}  ${phase.padEnd(6)} ${name.padEnd(17)} ${operands.padEnd(width)}  ${from}`.trimEnd()
  return [
    line('addr', 'phase', 'op', 'operands', 'from'),
    ...steps.map((step) => printable(line(String(step.address), step.phase, step.op, step.operands, step.from))),
    '',
  ].join('\n')
}

/** Formats the operands of one step, without those that are null or no flag. */
export function explainOperands(step: Step): readonly string[] {
  return operandsOf(step.op)
    .map(([name, kind]) => explainOperand(kind, step.operands[name] ?? null, name))
    .filter((shown) => shown !== '')
}

function marks({ step, undoes }: NumberedStep): readonly string[] {
  return [
    ...(step.ok.length > 0 ? [`ok=${step.ok.join('|')}`] : []),
    ...(undoes === undefined ? [] : [`undoes=${undoes}`]),
  ]
}

function explainOperand(kind: OperandKind, value: AnyOperand, name: string): string {
  if (value === null) return ''
  switch (kind) {
    case 'slot':
      return `%${String(value)}`
    case 'newSlot':
      return `%${String(value)} =`
    case 'text':
      return quoted(typeof value === 'string' ? value : textTemplate(value))
    case 'string':
      return value instanceof Uint8Array ? quoted(Buffer.from(value).toString()) : quoted(String(value))
    case 'list':
      return Array.isArray(value) ? clipped(`[${value.map((item) => JSON.stringify(item)).join(', ')}]`) : ''
    case 'bytes':
      return value instanceof Uint8Array ? clipped(`<${Buffer.from(value).toString('hex')}>`) : ''
    default:
      return explainNumber(kind, BigInt(value as number | bigint), name)
  }
}

function explainNumber(kind: OperandKind, value: bigint, name: string): string {
  switch (kind) {
    case 'barrier':
      return `${name}=${barrierName(Number(value))}`
    case 'octal':
      return `0${value.toString(8)}`
    case 'hex':
      return `0x${value.toString(16)}`
    case 'openFlags':
      return flagNames(openFlags, value)
    case 'mountFlags':
      return flagNames(mountFlags, value)
    case 'mountAttributes':
      return value === 0n ? '' : `${name}=${flagNames(mountAttributes, value)}`
    case 'cloneFlags':
      return flagNames(cloneFlags, value)
    case 'treeFlags':
      return flagNames(treeFlags, value)
    case 'resolveKind':
      return valueName(resolveKind, value)
    case 'resource':
      return valueName(resource, value)
    case 'prctl':
      return valueName(prctl, value)
    case 'capabilities':
      return `${name}=${capabilityList(value)}`
    default:
      return `${name}=${value}`
  }
}

function textTemplate(pieces: AnyOperand): string {
  if (!Array.isArray(pieces)) return ''
  return pieces.map((piece) => (typeof piece === 'string' ? piece : `{${piece.register}}`)).join('')
}

function quoted(text: string): string {
  return clipped(JSON.stringify(text))
}

function clipped(text: string): string {
  return text.length > longestShown ? `${text.slice(0, longestShown)}…(${text.length})` : text
}

function flagNames(names: Readonly<Record<string, number>>, value: bigint): string {
  let rest = value
  const found = Object.entries(names)
    .filter(([, bit]) => bit !== 0 && (value & BigInt(bit)) === BigInt(bit))
    .map(([flag, bit]) => {
      rest &= ~BigInt(bit)
      return flag
    })
  if (rest !== 0n) found.push(`0x${rest.toString(16)}`)
  return found.join('|')
}

function valueName(names: Readonly<Record<string, number>>, value: bigint): string {
  return Object.keys(names).find((key) => BigInt(names[key] ?? -1) === value) ?? String(value)
}

function capabilityList(mask: bigint): string {
  const all = (1n << BigInt(capabilityNames.length)) - 1n
  if (mask === 0n) return 'none'
  if (mask === all) return 'all'
  return capabilityNames.filter((_, bit) => (mask >> BigInt(bit)) & 1n).join('|')
}
