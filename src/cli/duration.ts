import { InvalidArgumentError } from 'commander'

const unitMs: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  '\u00b5s': 1e-3,
  '\u03bcs': 1e-3,
  ns: 1e-6,
}

/**
 * A duration as Go writes it, in milliseconds: `5s`, `100ms`, `1h30m`.
 * @see https://pkg.go.dev/time#ParseDuration
 */
export function parseDuration(text: string): number {
  if (!/^\+?(?:\d+(?:\.\d*)?(?:h|ms|m|s|[u\u00b5\u03bc]s|ns))+$/.test(text)) {
    throw new InvalidArgumentError('it must be a duration such as 5s or 100ms')
  }
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?)(h|ms|m|s|[u\u00b5\u03bc]s|ns)/g)]
  const ms = parts.reduce((all, [, number, unit = '']) => all + Number(number) * (unitMs[unit] ?? 0), 0)
  if (ms > 0) return ms
  throw new InvalidArgumentError('it must be greater than 0')
}
