import { expect, test } from 'vitest'
import type { Device, DeviceRule, Resources } from '../../../src/oci/runtime-config.ts'
import { parseRuntimeConfig } from '../../../src/oci/runtime-config.ts'
import type { Step } from '../../../src/program/program.ts'
import { compileWith, hosts, smallConfig, stepsOf } from '../hosts.ts'

const made = (device: Device): readonly Step[] =>
  stepsOf(compileWith({ linux: { devices: [device] } })).filter(({ from }) => from === '/linux/devices/0')
const node = (device: Partial<Device>): Step | undefined =>
  made({ path: '/dev/x', type: 'c', major: 1, minor: 3, ...device }).find(({ op }) => op === 'mknod')
const invalid = (pointer: string): unknown => expect.objectContaining({ code: 'ERR_CONFIG_INVALID', pointer })

test.each([
  ['/dev/x/', '/dev', 'x'],
  ['/dev//a/./x', '/dev/a', 'x'],
  ['/dev/../../y', '/', 'y'],
  ['dev/x', '/dev', 'x'],
])('a device at %s is in %s, and called %s', (path, directory, name) => {
  const steps = stepsOf(compileWith({ linux: { devices: [{ path, type: 'c', major: 1, minor: 3 }] } }))
  const at = steps.findIndex(({ op, from }) => op === 'mknod' && from === '/linux/devices/0')
  const resolved = steps.slice(0, at).findLast(({ op, operands }) => op === 'resolve' && operands.to === 'dev')
  expect(resolved?.operands.path).toBe(directory)
  expect(steps[at]?.operands.path).toBe(name)
})

test.each(['/', '/dev/..', '///'])('a device at %s is refused', (path) => {
  expect(() => node({ path })).toThrow(invalid('/linux/devices/0/path'))
})

test('a default device that config.json lists is made once, in whatever spelling of its path', () => {
  const names = stepsOf(compileWith({ linux: { devices: [{ path: '/dev/null/', type: 'c', major: 1, minor: 3 }] } }))
    .filter(({ op }) => op === 'mknod')
    .map(({ operands }) => operands.path)
  expect(names.filter((name) => name === 'null')).toHaveLength(1)
})

test('file type bits in a mode from stat(2) do not change the type of the device', () => {
  const block = 0o060000
  expect(node({ fileMode: block | 0o600 })?.operands.mode).toBe(0o020600)
  expect(node({ type: 'p', fileMode: block | 0o1640 })?.operands.mode).toBe(0o011640)
})

test.each([
  ['major', -1],
  ['major', 4096],
  ['minor', -1],
  ['minor', 2 ** 20],
] as const)(
  'a device whose %s number is %i is refused, since the kernel would make another device',
  (field, number) => {
    const device = { path: '/dev/x', type: 'c', major: 1, minor: 3, [field]: number }
    const text = JSON.stringify({ ...smallConfig, linux: { ...smallConfig.linux, devices: [device] } })
    expect(() => parseRuntimeConfig(text)).toThrow(invalid(`/linux/devices/0/${field}`))
  },
)

const compileRules = (...devices: readonly DeviceRule[]) => compileWith({ linux: { resources: { devices } } })

test.each([undefined, ''])('a device rule with the access %j is refused', (access) => {
  const rule = { allow: true, type: 'c', major: 1, minor: 3, access } as const
  expect(() => compileRules({ allow: false, access: 'rwm' }, rule)).toThrow(
    expect.objectContaining({
      code: 'ERR_CONFIG_INVALID',
      pointer: '/linux/resources/devices/1/access',
      message: 'device access at 1 field cannot be empty',
    }),
  )
})

test('a device rule without a type, or with an empty one, is for all types', () => {
  expect(compileRules({ allow: false, type: '', access: 'rwm' })).toEqual(compileRules({ allow: false, access: 'rwm' }))
})

test("Docker's -1 as swappiness means not set, and another value that is too large is refused", () => {
  const compileMemory = (memory: Resources['memory'], host: 'hybrid' | 'v2') =>
    compileWith({ linux: { resources: { memory } }, facts: hosts[host] })
  for (const host of ['hybrid', 'v2'] as const) {
    expect(compileMemory({ swappiness: 2n ** 64n - 1n }, host)).toEqual(compileMemory({}, host))
    expect(() => compileMemory({ swappiness: 2n ** 64n - 2n }, host)).toThrow(
      expect.objectContaining({ pointer: '/linux/resources/memory/swappiness' }),
    )
  }
})

test.each(['limit', 'reservation', 'swap'] as const)('memory.%s of -5 is refused, not taken as unlimited', (field) => {
  for (const facts of [hosts.hybrid, hosts.v2]) {
    expect(() => compileWith({ linux: { resources: { memory: { limit: 5, [field]: -5 } } }, facts })).toThrow(
      invalid(`/linux/resources/memory/${field}`),
    )
  }
})
