import { compile } from '../../src/compile/compile.ts'
import type { CompileOptions } from '../../src/compile/context.ts'
import type { CgroupFacts, CgroupHierarchy, HostFacts } from '../../src/compile/facts.ts'
import { compileSeccomp } from '../../src/compile/seccomp/filter.ts'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import type { Program, Step } from '../../src/program/program.ts'

const controller = (name: string, own = '/', directory = name): CgroupHierarchy => ({
  controllers: name.split(','),
  isUnified: false,
  isReadOnly: false,
  mountPoint: `/sys/fs/cgroup/${directory}`,
  own,
})

const unified = (mountPoint: string, own: string): CgroupHierarchy => ({
  controllers: [],
  isUnified: true,
  isReadOnly: false,
  mountPoint,
  own,
})

const unifiedAt = (own: string): CgroupFacts => ({
  mode: 'v2',
  hierarchies: [unified('/sys/fs/cgroup', own)],
  v1Controllers: [],
})

const v1Hierarchies = [
  controller('cpu,cpuacct'),
  controller('cpuset'),
  controller('memory', '/user.slice'),
  controller('devices'),
  controller('freezer'),
  controller('pids', '/user.slice/session-1.scope'),
  controller('name=systemd', '/user.slice/session-1.scope', 'systemd'),
]

const v1Controllers = v1Hierarchies.flatMap(({ controllers }) => controllers)

const root = {
  arch: 'x64',
  euid: 0,
  egid: 0,
  capabilities: (1n << 41n) - 1n,
  inUserNamespace: false,
  hasSELinux: false,
  hasBfq: false,
  hasKcore: true,
  idMapHelpers: { uid: '/usr/bin/newuidmap', gid: '/usr/bin/newgidmap' },
  networkProgram: (name: string) => `/usr/bin/${name}`,
  mayMakeIn: (directory: string) => directory.startsWith('/sys/fs/cgroup/unified'),
} as const

const user = { ...root, euid: 1000, egid: 1000, capabilities: 0n }

/** Facts of hosts to compile for, as `readHostFacts` would gather them. */
export const hosts = {
  v1: { ...root, cgroups: { mode: 'v1', hierarchies: v1Hierarchies, v1Controllers } },
  hybrid: {
    ...root,
    cgroups: {
      mode: 'hybrid',
      hierarchies: [...v1Hierarchies, unified('/sys/fs/cgroup/unified', '/')],
      v1Controllers,
    },
  },
  v2: {
    ...root,
    cgroups: unifiedAt('/system.slice/engine.service'),
  },
  rootlessV2: {
    ...user,
    cgroups: unifiedAt('/user.slice/user-1000.slice/app.scope'),
  },
  rootlessHybrid: {
    ...user,
    cgroups: {
      mode: 'hybrid',
      hierarchies: [...v1Hierarchies, unified('/sys/fs/cgroup/unified', '/')],
      v1Controllers,
    },
  },
} as const satisfies Record<string, HostFacts>

/** The options of a plain `run`. Paths that end in `.conf` and devices are files, others are directories. */
export const plainRun: CompileOptions = {
  bundle: '/bundle',
  root: '/run/bundle-tool',
  mode: 'foreground',
  stateText: ['{"id":"', { register: 'id' }, '","init_process_pid":', { register: 'pid' }, '}'],
}

/** The smallest config.json that compiles. */
export const smallConfig: RuntimeConfig = {
  ociVersion: '1.3.0',
  root: { path: 'rootfs' },
  process: { user: { uid: 0, gid: 0 }, args: ['/bin/true'], cwd: '/' },
  linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }] },
}

export interface CompileTestInput {
  readonly config?: Partial<RuntimeConfig>
  readonly process?: Partial<NonNullable<RuntimeConfig['process']>>
  readonly linux?: Partial<NonNullable<RuntimeConfig['linux']>>
  readonly options?: Partial<CompileOptions>
  readonly facts?: HostFacts
}

/** Compiles the smallest config.json with these changes. */
export function compileWith(input: CompileTestInput): Program {
  const config = {
    ...smallConfig,
    ...input.config,
    process: { ...smallConfig.process, ...input.process } as NonNullable<RuntimeConfig['process']>,
    linux: { ...smallConfig.linux, ...input.linux },
  }
  const facts = input.facts ?? hosts.hybrid
  return compile(config, { ...plainRun, ...filterOf(config, facts), ...input.options }, facts)
}

/** The compiled seccomp profile of a config, as an option of `compile`. */
export function filterOf({ linux }: RuntimeConfig, { arch }: HostFacts): Pick<CompileOptions, 'filter'> {
  return linux?.seccomp ? { filter: compileSeccomp(linux.seccomp, arch) } : {}
}

/** All steps of the three phases, in the order in which they run. */
export function stepsOf(program: Program): readonly Step[] {
  return [...program.host, ...program.stage, ...program.child]
}
