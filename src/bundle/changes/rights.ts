import type { Mount, RuntimeConfig, Seccomp } from '../../oci/runtime-config.ts'
import { capabilityNames } from '../../program/flags.ts'
import { capabilitiesOf, withCapabilities } from './capabilities.ts'
import { addDevices } from './devices.ts'
import { type ListFlag, list, refusal, type ShownHost, type SwitchFlag, toggle } from './flag.ts'
import { isSame } from './merge-document.ts'
import type { Surroundings } from './outside.ts'
import { withProcess } from './process.ts'
import { defaultSeccompProfile, parseSeccompProfile, type SeccompProfile } from './seccomp-profile.ts'
import { hasNamespace, withLinux, withResources } from './values.ts'

export const privileged: SwitchFlag = toggle(
  { help: 'all rights of root, all devices of the host, and nothing hidden: as good as no container' },
  {
    apply: (config, isSet, around) => (isSet ? giveAll(config, around) : config),
    show: (config) => {
      const { maskedPaths = [], readonlyPaths = [] } = config.linux ?? {}
      const hasAll = capabilitiesOf(config).length === capabilityNames.length
      return hasAll && maskedPaths.length + readonlyPaths.length === 0 ? true : undefined
    },
  },
)

function giveAll(config: RuntimeConfig, around: Surroundings): RuntimeConfig {
  const { apparmorProfile: _, ...process } = config.process
  const { seccomp: __, maskedPaths: ___, readonlyPaths: ____, ...linux } = config.linux ?? {}
  const mounts = config.mounts?.map(writable)
  const open = { ...config, process: { ...process, noNewPrivileges: false }, linux, ...(mounts && { mounts }) }
  const able = withCapabilities(open, capabilityNames)
  if (hasNamespace(config, 'user')) return able
  const devices = around.hostDevices().map((device) => ({ ...device, access: 'rwm' }))
  return withResources(addDevices(able, devices), { devices: [{ allow: true, access: 'rwm' }] })
}

const writable = (mount: Mount): Mount =>
  mount.options?.includes('ro') && ['/sys', '/sys/fs/cgroup'].includes(mount.destination)
    ? { ...mount, options: mount.options.filter((option) => option !== 'ro') }
    : mount

type SecurityOption =
  | { readonly kind: 'new-privileges'; readonly isForbidden: boolean }
  | { readonly kind: 'apparmor'; readonly profile: string }
  | { readonly kind: 'seccomp'; readonly profile: SeccompProfile | undefined }
  | { readonly kind: 'unmask' }

export const securityOpt: ListFlag = list(
  {
    placeholder: 'option',
    help: 'seccomp=default, a file or unconfined; apparmor=PROFILE, no-new-privileges ...',
  },
  {
    parse: parseOption,
    apply: (config, options, around) => options.reduce((changed, option) => secure(changed, option, around), config),
    show: (config, base, host) => securityOptions(config, base, host),
  },
)

function securityOptions(config: RuntimeConfig, base: RuntimeConfig, host: ShownHost): readonly string[] {
  const { process } = config
  return [
    ...(process.noNewPrivileges === true && !base.process.noNewPrivileges ? ['no-new-privileges'] : []),
    ...(process.noNewPrivileges !== true && base.process.noNewPrivileges ? ['no-new-privileges=false'] : []),
    ...(process.apparmorProfile ? [`apparmor=${process.apparmorProfile}`] : []),
    ...(hasDefaultSeccomp(config, host) ? ['seccomp=default'] : []),
  ]
}

const defaultSeccompOf = (config: RuntimeConfig, { platform, engineSeccomp }: ShownHost): Seccomp =>
  defaultSeccompProfile(engineSeccomp()).filter(platform, capabilitiesOf(config))

/** True for a filter that is the default one for the capabilities. */
function hasDefaultSeccomp(config: RuntimeConfig, host: ShownHost): boolean {
  return config.linux?.seccomp !== undefined && isSame(config.linux.seccomp, defaultSeccompOf(config, host))
}

/** The default filter depends on the capabilities: it follows when they change. */
export function withSeccompOfCapabilities(
  changed: RuntimeConfig,
  before: RuntimeConfig,
  host: ShownHost,
): RuntimeConfig {
  const isLeft = changed.linux?.seccomp !== undefined && changed.linux.seccomp === before.linux?.seccomp
  if (!isLeft || isSame(capabilitiesOf(changed), capabilitiesOf(before)) || !hasDefaultSeccomp(before, host)) {
    return changed
  }
  return withLinux(changed, { seccomp: defaultSeccompOf(changed, host) })
}

function parseOption(text: string, around: Surroundings): SecurityOption {
  const [, name = '', value] = /^([^=:]*)(?:[=:](.*))?$/s.exec(text) ?? []
  if (name === 'no-new-privileges') {
    if (value === undefined || value === 'true') return { kind: 'new-privileges', isForbidden: true }
    if (value === 'false') return { kind: 'new-privileges', isForbidden: false }
    throw refusal('it must be true or false')
  }
  if (name === 'systempaths' && value === 'unconfined') return { kind: 'unmask' }
  if (name === 'apparmor' && value) return { kind: 'apparmor', profile: value }
  if (name !== 'seccomp' || !value) {
    throw refusal('there is no such option', 'use seccomp=, apparmor=, no-new-privileges or systempaths=unconfined')
  }
  if (value === 'unconfined') return { kind: 'seccomp', profile: undefined }
  if (value === 'default') return { kind: 'seccomp', profile: defaultSeccompProfile(around.engineSeccomp()) }
  return { kind: 'seccomp', profile: parseSeccompProfile(around.readText(value)) }
}

function secure(config: RuntimeConfig, option: SecurityOption, around: Surroundings): RuntimeConfig {
  switch (option.kind) {
    case 'new-privileges':
      return withProcess(config, { noNewPrivileges: option.isForbidden })
    case 'apparmor': {
      const { apparmorProfile: _, ...process } = config.process
      if (option.profile === 'unconfined') return { ...config, process }
      return withProcess(config, { apparmorProfile: option.profile })
    }
    case 'unmask': {
      const { maskedPaths: _, readonlyPaths: __, ...linux } = config.linux ?? {}
      return { ...config, linux }
    }
    case 'seccomp': {
      const { seccomp: _, ...linux } = config.linux ?? {}
      if (option.profile === undefined) return { ...config, linux }
      return withLinux(config, { seccomp: option.profile.filter(around.platform, capabilitiesOf(config)) })
    }
  }
}
