/** A property of a unit; `type` is the D-Bus signature of its value. */
export type UnitProperty = readonly [name: string, type: string, value: PropertyValue]
/** A value of a property; an integer of 64 bits is a decimal string. */
export type PropertyValue = boolean | number | string | readonly PropertyValue[]

/** systemd's value for "infinity": 2^64 - 1. */
export const unlimited = '18446744073709551615'

export const microsecondsPerSecond = 1_000_000n

/** Converts a quota per period to microseconds per second, rounded up to 10 ms as systemd does. */
export function quotaPerSecond(quota: bigint, period: bigint): bigint {
  const step = 10_000n
  return (((quota * microsecondsPerSecond) / period + step - 1n) / step) * step
}
