import { knownMountOptions } from '../../compile/mount/options.ts'
import { namespaceFlags } from '../../compile/namespaces.ts'
import { keepGroupsAnnotation } from '../../compile/process.ts'
import { memoryFlags, memoryModes } from '../../compile/scheduling.ts'
import { seccompVerdicts } from '../../compile/seccomp/actions.ts'
import { seccompArchitectureNames } from '../../compile/seccomp/architecture-names.ts'
import { filterFlags } from '../../compile/seccomp/flags.ts'
import { hookOutputAnnotations } from '../../compile/state/hook-output.ts'
import type { HookKind } from '../../compile/state/hooks.ts'
import type { SeccompOperator } from '../../oci/runtime-config.ts'
import { runtimeSpecVersion } from '../../oci/spec-version.ts'
import { capabilityNames } from '../../program/flags.ts'
import { toolVersion } from '../tool-version.ts'

/** The features of a runtime, in the spelling of the specification. */
export interface Features {
  readonly ociVersionMin: string
  readonly ociVersionMax: string
  readonly hooks: readonly string[]
  readonly mountOptions: readonly string[]
  readonly linux: LinuxFeatures
  readonly annotations: Readonly<Record<string, string>>
  /** Annotations of a config.json that change what the runtime does, so that engines keep users from setting them. */
  readonly potentiallyUnsafeConfigAnnotations: readonly string[]
}

interface Switch {
  readonly enabled: boolean
}

export interface LinuxFeatures {
  readonly namespaces: readonly string[]
  readonly capabilities: readonly string[]
  readonly cgroup: Readonly<Record<'v1' | 'v2' | 'systemd' | 'systemdUser' | 'rdma', boolean>>
  readonly seccomp: SeccompFeatures
  readonly apparmor: Switch
  readonly selinux: Switch
  readonly intelRdt: Switch & Readonly<Record<'schemata' | 'monitoring', boolean>>
  readonly memoryPolicy: { readonly modes: readonly string[]; readonly flags: readonly string[] }
  readonly mountExtensions: { readonly idmap: Switch }
  readonly netDevices: Switch
}

export interface SeccompFeatures extends Switch {
  readonly actions: readonly string[]
  readonly operators: readonly string[]
  readonly archs: readonly string[]
  readonly knownFlags: readonly string[]
  readonly supportedFlags: readonly string[]
}

/** In the order in which they run. */
const hookKinds: readonly HookKind[] = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
]

export interface FeaturesOptions {
  /** Default: that of this tool. */
  readonly version?: string | undefined
}

/**
 * Lists the features that this version can apply, from the tables that apply them. The host plays no part in it.
 *
 * @see runtime-spec v1.3.0 features.md, features-linux.md
 */
export function features({ version = toolVersion() }: FeaturesOptions = {}): Features {
  return {
    ociVersionMin: '1.0.0',
    ociVersionMax: runtimeSpecVersion,
    hooks: hookKinds,
    mountOptions: knownMountOptions(),
    linux: {
      namespaces: Object.keys(namespaceFlags).sort(),
      capabilities: capabilityNames,
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: true, rdma: true },
      seccomp: seccompFeatures(),
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: true, schemata: true, monitoring: true },
      memoryPolicy: { modes: Object.keys(memoryModes), flags: Object.keys(memoryFlags) },
      mountExtensions: { idmap: { enabled: knownMountOptions().includes('idmap') } },
      netDevices: { enabled: true },
    },
    annotations: { 'bundle-tool.version': version },
    potentiallyUnsafeConfigAnnotations: [
      'org.systemd.property.',
      'org.criu.config',
      keepGroupsAnnotation,
      ...Object.values(hookOutputAnnotations),
    ],
  }
}

function seccompFeatures(): SeccompFeatures {
  const flags = Object.keys(filterFlags)
  return {
    enabled: true,
    actions: Object.keys(seccompVerdicts).sort(),
    operators: seccompOperators,
    archs: seccompArchitectureNames.toSorted(),
    knownFlags: flags,
    supportedFlags: flags,
  }
}

const seccompOperators: readonly SeccompOperator[] = [
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_LE',
  'SCMP_CMP_LT',
  'SCMP_CMP_MASKED_EQ',
  'SCMP_CMP_NE',
]
