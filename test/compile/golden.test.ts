import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { compile } from '../../src/compile/compile.ts'
import type { CompileOptions } from '../../src/compile/context.ts'
import type { HostFacts } from '../../src/compile/facts.ts'
import { parseRuntimeConfig } from '../../src/oci/runtime-config.ts'
import { explainProgram, formatExplanation } from '../../src/program/explain.ts'
import { hosts, plainRun } from './hosts.ts'

/** What each case of fixtures/programs is compiled for; `npm run build && UPDATE_GOLDEN=1 npx vitest ...` rewrites them. */
const cases: Record<string, { readonly facts: HostFacts; readonly options?: Partial<CompileOptions> }> = {
  default: { facts: hosts.hybrid },
  'default-v1': { facts: hosts.v1 },
  'default-v2': { facts: hosts.v2 },
  terminal: { facts: hosts.hybrid },
  'console-socket': {
    facts: hosts.hybrid,
    options: { mode: 'create', consoleSocket: '/run/engine/console.sock', pidFile: '/run/engine/pid' },
  },
  'user-namespace': { facts: hosts.hybrid, options: { mode: 'create' } },
  'joined-namespaces': { facts: hosts.hybrid, options: { mode: 'detached' } },
  'joined-user-namespace': { facts: hosts.v2, options: { mode: 'detached' } },
  limits: { facts: hosts.hybrid },
  'limits-v2': { facts: hosts.v2 },
  devices: { facts: hosts.hybrid },
  mounts: { facts: hosts.hybrid },
  identity: { facts: hosts.hybrid, options: { preserveFds: 2 } },
  seccomp: { facts: hosts.v2, options: { mode: 'create' } },
  sysctl: { facts: hosts.hybrid, options: { noNewKeyring: true, noSubreaper: true, keep: true } },
  'no-mount-namespace': { facts: hosts.hybrid },
  'net-devices': { facts: hosts.hybrid },
  labels: { facts: { ...hosts.v1, hasSELinux: true, appArmor: { attribute: 'apparmor/exec' } } },
  'intel-rdt': {
    facts: { ...hosts.v2, resctrl: { mountPoint: '/sys/fs/resctrl', hasCache: true, hasBandwidth: true } },
  },
  notify: {
    facts: hosts.hybrid,
    options: { mode: 'detached', notify: { host: '/run/systemd/notify', mainPid: 77 } },
  },
  'no-pivot': { facts: hosts.v2, options: { noPivot: true } },
  rootless: { facts: hosts.rootlessV2 },
  'rootless-ranges': { facts: hosts.rootlessHybrid, options: { mode: 'create' } },
}

const directory = join(import.meta.dirname, '../../fixtures/programs')

test.each(Object.entries(cases))('%s compiles to the program in its program.txt', (name, { facts, options }) => {
  const config = parseRuntimeConfig(readFileSync(join(directory, name, 'config.json'), 'utf8'))
  const listing = formatExplanation(explainProgram(compile(config, { ...plainRun, ...options }, facts)))
  const golden = join(directory, name, 'program.txt')
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(golden, listing)
  expect(listing).toBe(existsSync(golden) ? readFileSync(golden, 'utf8') : '')
})

test('every directory of fixtures/programs is a case', () => {
  const found = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  expect(found.map(({ name }) => name).sort()).toEqual(Object.keys(cases).sort())
})
