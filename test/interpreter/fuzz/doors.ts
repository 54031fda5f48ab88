import { decodeMessage } from '../../../src/dbus/message.ts'
import { formatExactJson, parseExactJson } from '../../../src/oci/json.ts'
import { checkJsonLimits, parseLimitedJsonIfAny } from '../../../src/oci/json-limits.ts'
import { parseResources } from '../../../src/oci/resources.ts'
import { parseProcess, parseRuntimeConfig } from '../../../src/oci/runtime-config.ts'
import { bytesOf, exactText } from '../../../src/text.ts'
import { inputOf, latin1, type Seeds } from './cases.ts'

/** All doors that somebody else's JSON comes in by, and that of D-Bus, on inputs made of a seed: for both engines, which must agree. */
export interface Request extends Seeds {
  readonly seed: number
  readonly from: number
  readonly to: number
  /** True to have what each door says, and not only a digest of it. */
  readonly isWhole: boolean
}

const doors: Readonly<Record<string, (text: string) => unknown>> = {
  exact: (text) => {
    checkJsonLimits(text)
    const value = parseExactJson(text)
    return [value, formatExactJson(value, '  ')]
  },
  'with null': (text) => {
    checkJsonLimits(text)
    return parseExactJson(text, { keepsNull: true })
  },
  any: parseLimitedJsonIfAny,
  config: (text) => {
    const unknown: string[] = []
    return [parseRuntimeConfig(text, (pointer) => unknown.push(pointer)), unknown]
  },
  process: parseProcess,
  resources: (text) => {
    const warnings: string[] = []
    return [parseResources(text, 'these', (message) => warnings.push(message)), warnings]
  },
}

/** A text for each input: the outcome of each door, or a digest. */
export function run(request: Request): readonly unknown[] {
  const outcomes: unknown[] = []
  for (let number = request.from; number < request.to; number++) {
    const { kind, bytes } = inputOf(request, request.seed, number)
    const outcome = kind === 'bus' ? [said(() => decodeMessage(bytes))] : ofText(bytes)
    outcomes.push(request.isWhole ? { kind, bytes: latin1(bytes), outcome } : digest(outcome.join('\n')))
  }
  return outcomes
}

/** Deeper values that the doors let in cannot be shown: JSON.stringify, with a function, takes more stack than Node.js has. */
const deepestShown = 1000
const deepestTaken = 10_000

function depthOf(text: string): number {
  let [depth, deepest] = [0, 0]
  for (const [sign] of text.matchAll(/[[{\]}]/g)) {
    depth += sign === '[' || sign === '{' ? 1 : -1
    deepest = Math.max(deepest, depth)
  }
  return deepest
}

function ofText(bytes: Uint8Array): readonly string[] {
  const text = exactText(bytes)
  const depth = depthOf(text)
  if (depth > deepestShown && depth <= deepestTaken) return ['too deep to be shown']
  const isSame = latin1(bytesOf(text)) === latin1(bytes)
  return [String(isSame), ...Object.entries(doors).map(([name, door]) => `${name}: ${said(() => door(text))}`)]
}

/** The value of a call, with the order of its members, or its error. */
function said(call: () => unknown): string {
  try {
    const plain = (_: string, value: unknown): unknown =>
      typeof value === 'bigint' ? `${value}n` : Object.is(value, -0) ? '-0' : value
    return JSON.stringify(call(), plain) ?? 'undefined'
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return `${error.name}: ${error.message}`
  }
}

function digest(text: string): number {
  let hash = text.length
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}
