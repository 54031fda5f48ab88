import { OciError } from '../errors.ts'
import { openFlags } from '../program/flags.ts'
import { op, type Step } from '../program/program.ts'
import { cgroupFile } from './cgroup-paths.ts'
import type { CompileContext } from './context.ts'
import { type DeviceRule, deviceFilter } from './device-filter.ts'
import { nameOf, refuseHoles } from './device-rules-v1.ts'

const from = '/linux/resources/devices'

const any = (type: 'b' | 'c', access: string): DeviceRule => ({
  allow: true,
  type,
  major: undefined,
  minor: undefined,
  access,
})

const characterDevice = (major: number, minor?: number): DeviceRule => ({ ...any('c', 'rwm'), major, minor })

/**
 * Rules that come after those of config.json: making any node, and using the default devices, terminals and tun.
 *
 * @see runc libcontainer/specconv AllowedDevices
 */
const defaultRules: readonly (DeviceRule & { readonly path?: string })[] = [
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

/** The rules that hold: those of config.json, then the default ones. */
export function deviceRulesOf(context: CompileContext): readonly DeviceRule[] {
  return [...configuredRules(context), ...rulesOfDefaults(context)]
}

/** Which devices the container may use: files of the devices controller on cgroup v1, an eBPF filter on v2. */
export function compileDeviceRules(context: CompileContext): readonly Step[] {
  const { facts, cgroups } = context
  if (facts.cgroups.mode === 'v2') return compileFilter(context)
  const place = cgroups.find(({ hierarchy }) => hierarchy.controllers.includes('devices'))
  if (!place) return []
  const configured = configuredRules(context)
  const defaults = rulesOfDefaults(context)
  const rules = [...configured, ...defaults]
  const pointerOf = (index: number): string => (index < configured.length ? `${from}/${index}` : from)
  refuseHoles(rules, pointerOf)
  const line = (rule: DeviceRule): string => `${nameOf(rule)} ${rule.access}`
  // All that comes before something is allowed denies what is denied already.
  const firstAllowed = configured.findIndex(({ allow }) => allow)
  const isSaid = (index: number): boolean => firstAllowed === -1 || index < firstAllowed
  const write = (file: string, lines: readonly string[], pointer: string): Step =>
    op('write_lines', { path: cgroupFile(place, file), lines }, pointer)
  return [
    write('devices.deny', ['a'], from),
    ...configured.flatMap((rule, index) =>
      isSaid(index) ? [] : [write(fileFor(rule), [line(rule)], pointerOf(index))],
    ),
    write('devices.allow', defaults.map(line), from),
  ]
}

/** A caller in a user namespace may not load a filter: the devices it cannot make are out of reach anyway. */
function compileFilter(context: CompileContext): readonly Step[] {
  const place = context.cgroups.find(({ hierarchy }) => hierarchy.isUnified)
  if (!place || context.facts.euid !== 0 || context.facts.inUserNamespace) return []
  const flags = openFlags.RDONLY | openFlags.DIRECTORY
  return [
    op('open', { to: 'cgroup', at: null, path: cgroupFile(place), flags }, from),
    op('device_filter', { cgroup: 'cgroup', instructions: deviceFilter(deviceRulesOf(context)) }, from),
  ]
}

/** A default node that config.json makes itself has the rules that config.json gives. */
function rulesOfDefaults({ config }: CompileContext): readonly DeviceRule[] {
  const own = new Set((config.linux?.devices ?? []).map(({ path }) => path))
  return defaultRules.filter(({ path }) => path === undefined || !own.has(path))
}

function configuredRules({ config, warn }: CompileContext): readonly DeviceRule[] {
  return (config.linux?.resources?.devices ?? []).map((rule, index) => {
    const type = rule.type ?? 'a'
    if (type !== 'a' && type !== 'b' && type !== 'c') {
      throw new OciError('ERR_CONFIG_INVALID', `the device type "${type}" is not a, b or c`, {
        pointer: `${from}/${index}/type`,
      })
    }
    const number = (value: number | undefined): number | undefined =>
      value === undefined || value < 0 ? undefined : value
    return {
      allow: rule.allow,
      type,
      major: number(rule.major),
      minor: number(rule.minor),
      access: accessOf(rule.access ?? 'rwm', `${from}/${index}/access`, warn),
    }
  })
}

/** Other letters mean nothing, and are no reason to refuse what runc runs. */
function accessOf(text: string, pointer: string, warn: CompileContext['warn']): string {
  const access = text.replace(/[^rwm]/g, '')
  if (access === '') {
    throw new OciError('ERR_CONFIG_INVALID', `the access "${text}" has none of the letters r, w and m`, { pointer })
  }
  if (access !== text) warn?.(`${pointer}: ignoring all but r, w and m of "${text}"`)
  return access
}

const fileFor = (rule: DeviceRule): string => (rule.allow ? 'devices.allow' : 'devices.deny')
