import { OciError } from '../../errors.ts'
import { type FilterRule, isForAll } from './device-filter.ts'

/** A rule for the files of cgroup v1's devices controller, where one for both types is for all devices and all access. */
export type DeviceRuleV1 = SomeDevices | { readonly allow: boolean; readonly type: 'a' }
type SomeDevices = Omit<FilterRule, 'type'> & { readonly type: 'b' | 'c' }

/**
 * Converts rules to cgroup v1, each with its origin. A rule for some devices of both types becomes two.
 *
 * @see security/device_cgroup.c devcgroup_update_access, where "a" stands for all whatever follows it
 */
export function rulesForV1<T>(
  rules: readonly (readonly [rule: FilterRule, origin: T])[],
): readonly (readonly [rule: DeviceRuleV1, origin: T])[] {
  return rules.flatMap(([rule, origin]) => splitRule(rule).map((part) => [part, origin] as const))
}

function splitRule(rule: FilterRule): readonly DeviceRuleV1[] {
  const { allow, type } = rule
  if (type !== 'a') return [{ ...rule, type }]
  return isForAll(rule) ? [{ allow, type }] : (['b', 'c'] as const).map((each) => ({ ...rule, type: each }))
}

/** The effect of a list of rules on cgroup v1: a default, and exceptions from it. */
export interface DeviceExceptions {
  readonly allowsByDefault: boolean
  /** Devices and the access for which the opposite of the default holds; the access is empty if all was taken back. */
  readonly exceptions: readonly (readonly [devices: Devices, access: string])[]
}

/**
 * Applies the rules as the devices controller of cgroup v1 does, and refuses those that it would silently ignore.
 *
 * The controller has one default and a list of exceptions from it. A rule that takes back part of a wider exception changes
 * nothing there, without an error: a device that config.json denies would stay accessible.
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

/** The devices of a rule in the format of the controller's files: `c 1:*`. */
function nameOf({ type, major, minor }: Devices): string {
  return `${type} ${major ?? '*'}:${minor ?? '*'}`
}

/** The line of a rule for the controller's files. */
export const lineOf = (rule: DeviceRuleV1): string => (rule.type === 'a' ? 'a' : `${nameOf(rule)} ${rule.access}`)

/** Removes repeated letters. */
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
