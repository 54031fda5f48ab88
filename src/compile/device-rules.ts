import { openFlags } from '../program/flags.ts'
import { op, type Step } from '../program/program.ts'
import { cgroupFile } from './cgroup-paths.ts'
import type { CompileContext } from './context.ts'

/**
 * Rules that runc adds after those of config.json: making any node, and using the default devices, terminals and tun.
 *
 * @see runc libcontainer/specconv AllowedDevices
 */
const defaultRules = [
  'c *:* m',
  'b *:* m',
  'c 1:3 rwm',
  'c 1:8 rwm',
  'c 1:7 rwm',
  'c 5:0 rwm',
  'c 1:5 rwm',
  'c 1:9 rwm',
  'c 136:* rwm',
  'c 5:2 rwm',
  'c 10:200 rwm',
]

/** Which devices the container may use: devices.deny and devices.allow of cgroup v1, in order. */
export function compileDeviceRules(context: CompileContext): readonly Step[] {
  const from = '/linux/resources/devices'
  const rules = context.config.linux?.resources?.devices
  const place = context.cgroups.find(({ hierarchy }) => hierarchy.controllers.includes('devices'))
  if (!place) return []
  const write = (file: string, content: string, pointer: string): Step =>
    op('write_file', { at: null, path: cgroupFile(place, file), content, flags: openFlags.WRONLY, mode: 0 }, pointer)
  return [
    write('devices.deny', 'a', from),
    ...(rules ?? []).map((rule, index) => {
      const major = rule.major === undefined || rule.major < 0 ? '*' : rule.major
      const minor = rule.minor === undefined || rule.minor < 0 ? '*' : rule.minor
      const text = `${rule.type ?? 'a'} ${major}:${minor} ${rule.access ?? 'rwm'}`
      return write(rule.allow ? 'devices.allow' : 'devices.deny', text, `${from}/${index}`)
    }),
    ...defaultRules.map((rule) => write('devices.allow', rule, from)),
  ]
}
