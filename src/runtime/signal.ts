import { constants } from 'node:os'
import { OciError } from '../errors.ts'

const realTimeFirst = 34
const realTimeLast = 64

/**
 * The number of the signal that `text` names: a number, or a name in any case with or without `SIG`.
 *
 * Real-time signals are `RTMIN`, `RTMIN+n`, `RTMAX-n`, `RTMAX` (34 to 64 here, as glibc numbers them).
 * @throws OciError `ERR_USAGE` no such signal
 */
export function parseSignal(text: string): number {
  if (/^\d+$/.test(text)) {
    const number = Number(text)
    if (number <= realTimeLast) return number
  }
  const name = text.toUpperCase().replace(/^(SIG)?/, 'SIG')
  const known: Readonly<Record<string, number>> = { ...constants.signals, SIGCLD: constants.signals.SIGCHLD }
  const number = Object.hasOwn(known, name) ? known[name] : realTimeSignal(name)
  if (number === undefined) throw new OciError('ERR_USAGE', `unknown signal "${text}"`)
  return number
}

function realTimeSignal(name: string): number | undefined {
  const [, base, , offset] = /^SIGRT(MIN|MAX)(([+-]\d+))?$/.exec(name) ?? []
  if (base === undefined) return undefined
  const number = (base === 'MIN' ? realTimeFirst : realTimeLast) + Number(offset ?? 0)
  return number >= realTimeFirst && number <= realTimeLast ? number : undefined
}
