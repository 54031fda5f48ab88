import { OciError } from '../errors.ts'
import type { DeviceRule } from './device-filter.ts'

/**
 * Refuses rules that the devices controller of cgroup v1 would not obey.
 *
 * It has one default and a list of exceptions to it. A rule that takes back part of a wider exception removes nothing
 * and is no error: a device that config.json denies would stay open.
 * @param pointerOf the origin of a rule, by its index
 * @throws OciError `ERR_CONFIG_UNSUPPORTED`
 * @see security/device_cgroup.c dev_exception_rm
 */
export function refuseHoles(rules: readonly DeviceRule[], pointerOf: (index: number) => string): void {
  let allowsByDefault = false
  const exceptions = new Map<string, string>()
  for (const [index, rule] of rules.entries()) {
    const { allow, type, major, minor, access } = rule
    const held = exceptions.get(nameOf(rule)) ?? ''
    if (type === 'a') {
      allowsByDefault = allow
      exceptions.clear()
    } else if (allow !== allowsByDefault) {
      exceptions.set(nameOf(rule), held + access)
    } else {
      const wider = [{ type, minor }, { type, major }, { type }].map(nameOf).filter((name) => name !== nameOf(rule))
      const hole = wider.find((name) => shareLetter(exceptions.get(name) ?? '', access))
      if (hole !== undefined) throw cannotTakeBack(rule, hole, pointerOf(index))
      exceptions.set(nameOf(rule), held.replace(new RegExp(`[${access}]`, 'g'), ''))
    }
  }
}

type Devices = Pick<DeviceRule, 'type'> & Partial<Pick<DeviceRule, 'major' | 'minor'>>

/** The devices of a rule as the files of the controller have them: `c 1:*`. */
export function nameOf({ type, major, minor }: Devices): string {
  return `${type} ${major ?? '*'}:${minor ?? '*'}`
}

function shareLetter(one: string, other: string): boolean {
  return [...one].some((letter) => other.includes(letter))
}

function cannotTakeBack(rule: DeviceRule, hole: string, pointer: string): OciError {
  const [verb, opposite] = rule.allow ? ['allow', 'denies'] : ['deny', 'allows']
  return new OciError(
    'ERR_CONFIG_UNSUPPORTED',
    `cgroup v1 cannot ${verb} "${nameOf(rule)} ${rule.access}" while a rule ${opposite} all of "${hole}"`,
    { pointer, hint: 'name the devices one by one, or use cgroup v2' },
  )
}
