import type { Linux, Resources, RuntimeConfig } from '../../oci/runtime-config.ts'
import { refusal } from './flag.ts'

const unitBytes: Readonly<Record<string, number>> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40, p: 2 ** 50 }

/** A number of bytes as docker has it: `1g`, `1.5GiB`, `65536k`, `4096`; units in any case, powers of 1024. */
export function parseBytes(text: string): number {
  const [, digits, unit = 'b'] = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text) ?? []
  const bytes = Math.floor(Number(digits) * (unitBytes[unit.toLowerCase() || 'b'] ?? Number.NaN))
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes
  throw refusal('it must be a number of bytes above 0, with k, m, g or t after it for KiB ... TiB')
}

/** A whole number between bounds. */
export function parseWhole(text: string, min: number, max: number): number {
  const number = Number(text)
  if (/^-?\d+$/.test(text) && number >= min && number <= max) return number
  throw refusal(`it must be a whole number from ${min} to ${max}`)
}

/** `NAME=value` in two; undefined for the value where there is no `=`. */
export function splitAssignment(text: string): readonly [name: string, value: string | undefined] {
  const at = text.indexOf('=')
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

export const withLinux = (config: RuntimeConfig, change: Partial<Linux>): RuntimeConfig => ({
  ...config,
  linux: { ...config.linux, ...change },
})

export const withResources = (config: RuntimeConfig, change: Partial<Resources>): RuntimeConfig =>
  withLinux(config, { resources: { ...config.linux?.resources, ...change } })

export const hasNamespace = ({ linux }: RuntimeConfig, wanted: string): boolean =>
  linux?.namespaces?.some(({ type }) => type === wanted) === true
