import { describe, expect, test } from 'vitest'
import type { FilterRule } from '../../../src/compile/cgroup/device-filter.ts'
import { rulesForV1, sumOfRules } from '../../../src/compile/cgroup/device-rules-v1.ts'
import { hostOf } from '../../../src/compile/cgroup/limit.ts'
import { limitsOf } from '../../../src/compile/cgroup/limits.ts'
import { limitsForUnit } from '../../../src/compile/cgroup/systemd.ts'
import { deviceProperties, limitPropertiesV1 } from '../../../src/compile/cgroup/systemd-v1.ts'
import { compile } from '../../../src/compile/compile.ts'
import type { Resources } from '../../../src/oci/runtime-config.ts'
import { explainProgram, formatExplanation } from '../../../src/program/explain.ts'
import { hosts, plainRun, smallConfig } from '../hosts.ts'

const limits = (resources: Resources) => limitsOf(resources, hostOf(1))
const properties = (resources: Resources, version = 252) => limitPropertiesV1(limits(resources), version)

test.each<[Resources, readonly unknown[]]>([
  [{}, []],
  [{ memory: { limit: 4096 } }, [['MemoryLimit', 't', '4096']]],
  [{ memory: { limit: -1 } }, [['MemoryLimit', 't', '18446744073709551615']]],
  [{ pids: { limit: 7 } }, [['TasksMax', 't', '7']]],
  [{ pids: { limit: -1 } }, [['TasksMax', 't', '18446744073709551615']]],
  [{ cpu: { shares: 512 } }, [['CPUShares', 't', '512']]],
  [{ blockIO: { weight: 300 } }, [['BlockIOWeight', 't', '300']]],
  [{ cpu: { quota: 20_000 } }, [['CPUQuotaPerSecUSec', 't', '200000']]],
  [{ cpu: { quota: -1 } }, [['CPUQuotaPerSecUSec', 't', '18446744073709551615']]],
  [
    { cpu: { quota: 20_500, period: 50_000 } },
    [
      ['CPUQuotaPeriodUSec', 't', '50000'],
      ['CPUQuotaPerSecUSec', 't', '410000'],
    ],
  ],
])('%j is for a unit on cgroup v1 %j', (resources, expected) => {
  expect(properties(resources)).toEqual(expected)
})

test('a systemd without the property for periods gets none', () => {
  expect(properties({ cpu: { quota: 20_000, period: 50_000 } }, 241)).toEqual([['CPUQuotaPerSecUSec', 't', '400000']])
})

test('a quota is written as systemd rounds it, by the period that holds', () => {
  const written = (given: Resources, all: Resources) =>
    limitsForUnit(limits(given), () => {}, limits(all)).map(({ file, value }) => `${file}=${value}`)
  const cpu = { quota: 20_333, period: 50_000 }
  expect(written({ cpu }, { cpu })).toEqual(['cpu.cfs_period_us=50000', 'cpu.cfs_quota_us=20500'])
  expect(written({ cpu: { quota: 20_333 } }, { cpu })).toEqual(['cpu.cfs_quota_us=20500'])
  expect(written({ cpu: { quota: 20_333 } }, { cpu: { quota: 20_333 } })).toEqual(['cpu.cfs_quota_us=21000'])
  expect(written({ cpu: { quota: -1 } }, { cpu })).toEqual(['cpu.cfs_quota_us=-1'])
})

describe('devices of a unit on cgroup v1', () => {
  const rule = (allow: boolean, type: FilterRule['type'], major?: number, minor?: number, access = 'rwm') => {
    return { allow, type, major, minor, access }
  }
  const names = { 'c 136': 'pts', 'b 8': 'sd' }
  const allowed = (rules: readonly FilterRule[], warn?: (message: string) => void) =>
    Object.fromEntries(
      deviceProperties(sumOfRules(rulesForV1(rules.map((each) => [each, '']))), names, warn).map(([name, , value]) => [
        name,
        value,
      ]),
    )

  test('are named one by one, by driver, or by type', () => {
    expect(
      allowed([
        rule(false, 'a'),
        rule(true, 'c', 1, 3, 'rw'),
        rule(true, 'c', 136),
        rule(true, 'b', 8),
        rule(true, 'b'),
      ]),
    ).toEqual({
      DevicePolicy: 'strict',
      DeviceAllow: [
        ['/dev/char/1:3', 'rw'],
        ['char-pts', 'rwm'],
        ['block-sd', 'rwm'],
        ['block-*', 'rwm'],
      ],
    })
  })

  test('are all with the policy auto, and none after a rule that denies all', () => {
    expect(allowed([rule(false, 'a'), rule(true, 'a'), rule(true, 'c', 1, 3)])).toEqual({
      DevicePolicy: 'auto',
      DeviceAllow: [],
    })
    expect(allowed([rule(true, 'c', 1, 3), rule(false, 'a')])).toEqual({ DevicePolicy: 'strict', DeviceAllow: [] })
  })

  test('that a later rule denies are not allowed', () => {
    const rules = [rule(true, 'c', 1, 5), rule(true, 'c', 1, 3), rule(false, 'c', 1, 5, 'w'), rule(false, 'c', 1, 3)]
    expect(allowed(rules).DeviceAllow).toEqual([['/dev/char/1:5', 'rm']])
  })

  test('are none if all but some are allowed, with a warning', () => {
    const warnings: string[] = []
    expect(allowed([rule(true, 'a'), rule(false, 'c', 10, 229)], (text) => warnings.push(text))).toEqual({
      DevicePolicy: 'strict',
      DeviceAllow: [],
    })
    expect(warnings.join()).toContain('all devices except some')
  })

  test('with one minor number cannot be named, with a warning', () => {
    const warnings: string[] = []
    expect(allowed([rule(true, 'c', undefined, 5)], (text) => warnings.push(text)).DeviceAllow).toEqual([])
    expect(warnings.join()).toContain('minor number 5')
  })

  test('without a driver cannot be named, with a warning', () => {
    const warnings: string[] = []
    expect(allowed([rule(true, 'c', 77)], (text) => warnings.push(text)).DeviceAllow).toEqual([])
    expect(warnings.join()).toContain('major number 77')
  })
})

const hybridManager = {
  kind: 'system',
  version: 252,
  cgroup: '/',
  command: ['/bin/tool', 'internal'],
  v1: { deviceNames: {} },
} as const

test('a rule that no property of a unit can express causes one warning', () => {
  const warnings: string[] = []
  const warn = (message: string): number => warnings.push(message)
  const devices = [{ allow: true, type: 'c', major: 77, access: 'rw' }] as const
  const config = { ...smallConfig, linux: { ...smallConfig.linux, cgroupsPath: '::c1', resources: { devices } } }
  compile(config, { ...plainRun, systemd: hybridManager, warn }, hosts.hybrid)
  expect(warnings.filter((text) => text.includes('major number 77'))).toHaveLength(1)
})

test('on a hybrid host the process gets into the unit of systemd, then into the hierarchies that it does not use', () => {
  const config = { ...smallConfig, linux: { ...smallConfig.linux, cgroupsPath: 'machine.slice:test:c1' } }
  const text = formatExplanation(explainProgram(compile(config, { ...plainRun, systemd: hybridManager }, hosts.hybrid)))
  const lines = text.split('\n')
  const at = (pattern: RegExp): number => lines.findIndex((line) => pattern.test(line))
  expect(at(/start-unit/)).toBeGreaterThan(0)
  for (const controller of ['freezer', 'pids', 'name=systemd']) {
    const directory = hosts.hybrid.cgroups.hierarchies.find(({ controllers }) => controllers.includes(controller))
    const path = `${directory?.mountPoint}/machine.slice/test-c1.scope`
    const [made, moved] = [at(new RegExp(`mkdir.*${path}`)), at(new RegExp(`${path}/cgroup.procs`))]
    expect(made, controller).toBeGreaterThan(at(/start-unit/))
    expect(moved, controller).toBeGreaterThan(made)
    expect(text).toMatch(new RegExp(`cgroup_remove.*${path}`))
  }
  // The child moves itself on hosts without systemd.
  expect(text).not.toMatch(/test-c1\.scope\/tasks/)
})
