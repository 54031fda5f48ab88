import { OciError } from '../../errors.ts'
import { type DeviceRule, isForAll } from './device-filter.ts'

/** What the files of the devices controller of cgroup v1 take: a rule for both types is for all devices and any access. */
export type DeviceRuleV1 = SomeDevices | { readonly allow: boolean; readonly type: 'a' }
type SomeDevices = Omit<DeviceRule, 'type'> & { readonly type: 'b' | 'c' }

/**
 * Rules as cgroup v1 has them, each with what is to be known of it: one for some devices of both types is two.
 *
 * @see security/device_cgroup.c devcgroup_update_access, where "a" stands for all whatever follows it
 */
export function rulesForV1<T>(
  rules: readonly (readonly [rule: DeviceRule, origin: T])[],
): readonly (readonly [rule: DeviceRuleV1, origin: T])[] {
  return rules.flatMap(([rule, origin]) => splitRule(rule).map((part) => [part, origin] as const))
}

function splitRule(rule: DeviceRule): readonly DeviceRuleV1[] {
  const { allow, type } = rule
  if (type !== 'a') return [{ ...rule, type }]
  return isForAll(rule) ? [{ allow, type }] : (['b', 'c'] as const).map((each) => ({ ...rule, type: each }))
}

/** What rules come to on cgroup v1: one answer for all devices but some. */
export interface DeviceExceptions {
  readonly allowsByDefault: boolean
  /** With the access that has the other answer; where none is left, the empty text. */
  readonly exceptions: readonly (readonly [devices: Devices, access: string])[]
}

/**
 * Adds the rules up as the devices controller of cgroup v1 does, and refuses those that it would not obey.
 *
 * It has one default and a list of exceptions to it. A rule that takes back part of a wider exception removes nothing
 * and is no error: a device that config.json denies would stay open.
 * @param rules each with its pointer
 * @throws OciError `ERR_CONFIG_UNSUPPORTED`
 * @see security/device_cgroup.c dev_exception_rm
 */
export function sumOfRules(rules: readonly (readonly [rule: DeviceRuleV1, pointer: string])[]): DeviceExceptions {
  let allowsByDefault = false
  const exceptions = new Map<string, readonly [Devices, string]>()
  const held = (devices: Devices): string => exceptions.get(nameOf(devices))?.[1] ?? ''
  for (const [rule, pointer] of rules) {
    if (rule.type === 'a') {
      allowsByDefault = rule.allow
      exceptions.clear()
      continue
    }
    const { allow, type, major, minor, access } = rule
    const devices = { type, major, minor }
    if (allow !== allowsByDefault) {
      exceptions.set(nameOf(rule), [devices, letters(held(rule) + access)])
    } else {
      const wider: readonly Devices[] = [{ type, minor }, { type, major }, { type }]
      const hole = wider.find((one) => nameOf(one) !== nameOf(rule) && shareLetter(held(one), access))
      if (hole !== undefined) throw cannotTakeBack(rule, nameOf(hole), pointer)
      exceptions.set(nameOf(rule), [devices, held(rule).replace(new RegExp(`[${access}]`, 'g'), '')])
    }
  }
  return { allowsByDefault, exceptions: [...exceptions.values()] }
}

export interface Devices {
  readonly type: 'b' | 'c'
  readonly major?: number | undefined
  readonly minor?: number | undefined
}

/** The devices of a rule as the files of the controller have them: `c 1:*`. */
function nameOf({ type, major, minor }: Devices): string {
  return `${type} ${major ?? '*'}:${minor ?? '*'}`
}

/** A line for the files of the controller. */
export const lineOf = (rule: DeviceRuleV1): string => (rule.type === 'a' ? 'a' : `${nameOf(rule)} ${rule.access}`)

/** Each once. */
const letters = (access: string): string => [...'rwm'].filter((letter) => access.includes(letter)).join('')

function shareLetter(one: string, other: string): boolean {
  return [...one].some((letter) => other.includes(letter))
}

function cannotTakeBack(rule: SomeDevices, hole: string, pointer: string): OciError {
  const [verb, opposite] = rule.allow ? ['allow', 'denies'] : ['deny', 'allows']
  return new OciError(
    'ERR_CONFIG_UNSUPPORTED',
    `cgroup v1 cannot ${verb} "${lineOf(rule)}" while a rule ${opposite} all of "${hole}"`,
    { pointer, hint: 'name the devices one by one, or use cgroup v2' },
  )
}
