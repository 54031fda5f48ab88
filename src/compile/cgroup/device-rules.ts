import { OciError } from '../../errors.ts'
import { openFlags } from '../../program/flags.ts'
import { op, type Step } from '../../program/program.ts'
import type { CompileContext } from '../context.ts'
import { isRootOfHost } from '../facts.ts'
import { cleanPath } from '../mount/entries.ts'
import { deviceFilter, type FilterRule, isForAll } from './device-filter.ts'
import { type DeviceRuleV1, lineOf, rulesForV1, sumOfRules } from './device-rules-v1.ts'
import { type CgroupPlace, cgroupFile } from './paths.ts'

const from = '/linux/resources/devices'

const any = (type: 'b' | 'c', access: string): FilterRule => ({
  allow: true,
  type,
  major: undefined,
  minor: undefined,
  access,
})

const characterDevice = (major: number, minor?: number): FilterRule => ({ ...any('c', 'rwm'), major, minor })

/**
 * Rules that follow those of config.json. They allow to make any node, and to use the default devices, terminals and tun.
 *
 * @see runc libcontainer/specconv AllowedDevices
 */
const defaultRules: readonly (FilterRule & { readonly path?: string })[] = [
  any('c', 'm'),
  any('b', 'm'),
  { ...characterDevice(1, 3), path: '/dev/null' },
  { ...characterDevice(1, 8), path: '/dev/random' },
  { ...characterDevice(1, 7), path: '/dev/full' },
  { ...characterDevice(5, 0), path: '/dev/tty' },
  { ...characterDevice(1, 5), path: '/dev/zero' },
  { ...characterDevice(1, 9), path: '/dev/urandom' },
  characterDevice(136),
  characterDevice(5, 2),
  characterDevice(10, 200),
]

/** All rules with their pointers: those of config.json, then the default ones. */
export function deviceRulesOf(context: CompileContext): readonly RuleAndPointer[] {
  return [...configuredRules(context), ...rulesOfDefaults(context).map((rule): RuleAndPointer => [rule, from])]
}

type RuleAndPointer = readonly [rule: FilterRule, pointer: string]

/**
 * Steps that restrict devices: through the devices controller of cgroup v1 if it is mounted, else by an eBPF filter on the
 * container's cgroup in the unified hierarchy.
 *
 * @throws OciError `ERR_CONFIG_UNSUPPORTED` config.json restricts devices, and the container has neither cgroup
 */
export function compileDeviceRules(context: CompileContext): readonly Step[] {
  if (!isRootOfHost(context.facts)) return leaveOut(context)
  const v1 = context.cgroups.find(({ hierarchy }) => hierarchy.controllers.includes('devices'))
  if (v1 !== undefined) return compileFiles(v1, context)
  const unified = context.cgroups.find(({ hierarchy }) => hierarchy.isUnified)
  if (unified !== undefined) return compileFilter(unified, context)
  if (isRestricted(context)) throw nothingToRestrict(context)
  return []
}

function compileFiles(place: CgroupPlace, context: CompileContext): readonly Step[] {
  const rules = rulesForV1(deviceRulesOf(context))
  sumOfRules(rules) // throws on rules that the controller would ignore
  const write = (file: string, lines: readonly string[], pointer: string): Step =>
    op('write_lines', { path: cgroupFile(place, file), lines }, pointer)
  const configured = rules.filter(([, pointer]) => pointer !== from)
  const defaults = rules.filter(([, pointer]) => pointer === from)
  // Rules before the first allowing one have no effect: everything is denied already.
  const firstAllowed = configured.findIndex(([{ allow }]) => allow)
  return [
    write('devices.deny', ['a'], from),
    ...(firstAllowed < 0 ? [] : configured.slice(firstAllowed)).map(([rule, pointer]) =>
      write(fileFor(rule), [lineOf(rule)], pointer),
    ),
    write(
      'devices.allow',
      defaults.map(([rule]) => lineOf(rule)),
      from,
    ),
  ]
}

function compileFilter(place: CgroupPlace, context: CompileContext): readonly Step[] {
  const flags = openFlags.RDONLY | openFlags.DIRECTORY
  const rules = deviceRulesOf(context).map(([rule]) => rule)
  return [
    op('open', { to: 'cgroup', at: null, path: cgroupFile(place), flags }, from),
    op('device_filter', { cgroup: 'cgroup', instructions: deviceFilter(rules) }, from),
  ]
}

/** Notes that device rules are not enforced: only root of the host may load a filter. */
function leaveOut(context: CompileContext): readonly Step[] {
  if (isRestricted(context)) {
    context.note?.(`${from}: device rules are not enforced: that needs root on the host`)
  }
  return []
}

/** True when config.json has rules that do not amount to allowing all devices. */
function isRestricted(context: CompileContext): boolean {
  const rules = configuredRules(context)
  const last = rules.findLastIndex(([rule]) => rule.allow && isForAll(rule))
  return last < 0 ? rules.length > 0 : rules.slice(last).some(([{ allow }]) => !allow)
}

function nothingToRestrict({ facts }: CompileContext): OciError {
  const { hierarchies } = facts.cgroups
  const readOnly = hierarchies.find((each) => each.controllers.includes('devices') || each.isUnified)
  const why = readOnly ? `"${readOnly.mountPoint}" is mounted read-only` : 'no hierarchy with devices is mounted'
  return new OciError('ERR_CONFIG_UNSUPPORTED', `device rules cannot be enforced: ${why}`, {
    pointer: from,
    hint: `mount ${readOnly ? 'it read-write' : 'the controller, or cgroup2'}, or remove the rules`,
  })
}

/** The default rules, without those for nodes that config.json makes itself, for which its own rules hold. */
function rulesOfDefaults({ config }: CompileContext): readonly FilterRule[] {
  const own = new Set((config.linux?.devices ?? []).map(({ path }) => cleanPath(path)))
  return defaultRules.filter(({ path }) => path === undefined || !own.has(path))
}

function configuredRules({ config, warn }: CompileContext): readonly RuleAndPointer[] {
  return (config.linux?.resources?.devices ?? []).map((rule, index) => {
    const pointer = `${from}/${index}`
    const type = rule.type || 'a'
    if (type !== 'a' && type !== 'b' && type !== 'c') {
      throw new OciError('ERR_CONFIG_INVALID', `the device type "${type}" is not a, b or c`, {
        pointer: `${pointer}/type`,
      })
    }
    const number = (value: number | undefined): number | undefined =>
      value === undefined || value < 0 ? undefined : value
    if (!rule.access) throw noAccess(index)
    const access = accessOf(rule.access, `${pointer}/access`, warn)
    return [{ allow: rule.allow, type, major: number(rule.major), minor: number(rule.minor), access }, pointer]
  })
}

/** The error for a rule without access letters, which could mean all access or none. */
function noAccess(index: number): OciError {
  return new OciError('ERR_CONFIG_INVALID', `device access at ${index} field cannot be empty`, {
    pointer: `${from}/${index}/access`,
    hint: 'set access to letters of r, w and m: "rwm" is all',
  })
}

/** The letters r, w and m of `text`. Other letters are ignored with a warning, since runc accepts them. */
function accessOf(text: string, pointer: string, warn: CompileContext['warn']): string {
  const access = text.replace(/[^rwm]/g, '')
  if (access === '') {
    throw new OciError('ERR_CONFIG_INVALID', `the access "${text}" has none of the letters r, w and m`, { pointer })
  }
  if (access !== text) warn?.(`${pointer}: ignoring all but r, w and m of "${text}"`)
  return access
}

const fileFor = (rule: DeviceRuleV1): string => (rule.allow ? 'devices.allow' : 'devices.deny')
