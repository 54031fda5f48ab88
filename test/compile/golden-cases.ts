import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { compile } from '../../src/compile/compile.ts'
import type { CompileOptions } from '../../src/compile/context.ts'
import { compileExecProgram } from '../../src/compile/exec.ts'
import type { HostFacts } from '../../src/compile/facts.ts'
import { compileRestore } from '../../src/compile/restore.ts'
import { compileWait } from '../../src/compile/wait.ts'
import { parseRuntimeConfig } from '../../src/oci/runtime-config.ts'
import type { Program } from '../../src/program/program.ts'
import { filterOf, hosts, plainRun } from './hosts.ts'

interface GoldenCase {
  readonly facts: HostFacts
  readonly options?: Partial<CompileOptions>
  readonly compile?: typeof compile
}

const criu = {
  path: '/usr/sbin/criu',
  message: new TextEncoder().encode('restore'),
  imagePath: '/var/lib/demo',
  workPath: '/var/log/demo',
}

/** Compiles an `exec` in a running container, with `process` of config.json. */
const exec =
  (cgroupPaths: Readonly<Record<string, string>>, mode: 'detached' | 'foreground'): typeof compile =>
  (config, options, facts) => {
    const namespaces = (config.linux?.namespaces ?? []).map(({ type }) => type)
    const target = { pid: 4321, startTime: 98765, namespaces, cgroupPaths }
    return compileExecProgram(config.process, target, { ...options, mode, config, terminalOrigin: '--process' }, facts)
  }

/** The host and options of each case of fixtures/programs; `npm run build && UPDATE_GOLDEN=1 npx vitest ...` rewrites them. */
export const goldenCases: Record<string, GoldenCase> = {
  default: { facts: hosts.hybrid },
  'default-v1': { facts: hosts.v1 },
  'default-v2': { facts: hosts.v2 },
  terminal: { facts: hosts.hybrid },
  'console-socket': {
    facts: hosts.hybrid,
    options: { mode: 'create', consoleSocket: [{ register: 'console_socket' }], pidFile: [{ register: 'pid_file' }] },
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
  'network-pasta': { facts: hosts.rootlessV2 },
  'network-slirp4netns': { facts: hosts.hybrid, options: { mode: 'create' } },
  labels: { facts: { ...hosts.v1, hasSELinux: true, appArmor: { attribute: 'apparmor/exec' } } },
  'intel-rdt': {
    facts: { ...hosts.v2, resctrl: { mountPoint: '/sys/fs/resctrl', hasCache: true, hasBandwidth: true } },
  },
  notify: {
    facts: hosts.hybrid,
    options: { mode: 'detached', notify: { host: '/run/systemd/notify', mainPid: 77 } },
  },
  restore: {
    facts: hosts.hybrid,
    options: { mode: 'detached', consoleSocket: [{ register: 'console_socket' }] },
    compile: (config, options, facts) => compileRestore(config, options, facts, criu),
  },
  wait: { facts: hosts.v2, compile: () => compileWait({ pid: 4321, startTime: 98765 }) },
  hooks: { facts: hosts.hybrid },
  scheduling: { facts: hosts.v2 },
  'idmapped-mounts': { facts: hosts.v2, options: { linkTargets: new Map([['/mounts/5', '../usr/share/UTC']]) } },
  exec: {
    facts: hosts.hybrid,
    options: { preserveFds: 1 },
    compile: exec({ '': '/sys/fs/cgroup/unified/demo', pids: '/sys/fs/cgroup/pids/demo' }, 'foreground'),
  },
  'exec-user-namespace': {
    facts: hosts.v2,
    options: { pidFile: [{ register: 'pid_file' }], pidfdSocket: '/run/engine/pidfd.sock' },
    compile: exec({ '': '/sys/fs/cgroup/demo' }, 'detached'),
  },
  'no-pivot': { facts: hosts.v2, options: { noPivot: true } },
  rootless: { facts: hosts.rootlessV2 },
  'temporary-rootfs': { facts: hosts.hybrid, options: { rootfsMode: 0o700, endsWithRunner: true } },
  'temporary-rootfs-rootless': { facts: hosts.rootlessV2 },
  'rootless-ranges': { facts: hosts.rootlessHybrid, options: { mode: 'create' } },
}

export const goldenDirectory: string = join(import.meta.dirname, '../../fixtures/programs')

/** Compiles one case. */
export function compileGolden(name: string): Program {
  const { facts, options, compile: compileProgram = compile } = goldenCases[name] ?? { facts: hosts.hybrid }
  const config = parseRuntimeConfig(readFileSync(join(goldenDirectory, name, 'config.json'), 'utf8'))
  return compileProgram(config, { ...plainRun, ...filterOf(config, facts), ...options }, facts)
}
