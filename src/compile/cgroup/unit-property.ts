/** A property of a unit as D-Bus has it: its name, the type of its value, the value. */
export type UnitProperty = readonly [name: string, type: string, value: PropertyValue]
/** Integers of 64 bits are in decimal. */
export type PropertyValue = boolean | number | string | readonly PropertyValue[]

/** What systemd calls infinity. */
export const unlimited = '18446744073709551615'

export const microsecondsPerSecond = 1_000_000n

/** In microseconds and, as systemd has it, in steps of ten milliseconds, rounded up. */
export function quotaPerSecond(quota: bigint, period: bigint): bigint {
  const step = 10_000n
  return (((quota * microsecondsPerSecond) / period + step - 1n) / step) * step
}
