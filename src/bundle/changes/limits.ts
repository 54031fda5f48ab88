import type { Integer, Memory, Rlimit, RuntimeConfig } from '../../oci/runtime-config.ts'
import { resource } from '../../program/flags.ts'
import { type ListFlag, list, refusal, type TextFlag, text } from './flag.ts'
import { withProcess } from './process.ts'
import { parseBytes, parseWhole, splitAssignment, withLinux, withResources } from './values.ts'

/** RLIM_INFINITY */
const unlimited = 2n ** 64n - 1n
const period = 100_000

export const ulimit: ListFlag = list(
  { placeholder: 'name=soft[:hard]', help: 'a limit of a process, as nofile=1024:4096; -1 is none' },
  {
    parse: parseUlimit,
    apply: (config, limits) => {
      const types = limits.map(({ type }) => type)
      const twice = types.find((type, index) => types.indexOf(type) !== index)
      if (twice !== undefined) throw refusal(`${twice} is given twice`)
      const others = (config.process.rlimits ?? []).filter(({ type }) => !types.includes(type))
      return withProcess(config, { rlimits: [...others, ...limits] })
    },
    show: ({ process: { rlimits = [] } }, base) =>
      rlimits
        .filter(({ type, soft, hard }) => {
          const other = base.process.rlimits?.find((one) => one.type === type)
          return other?.soft !== soft || other.hard !== hard
        })
        .map(({ type, soft, hard }) => `${type.slice('RLIMIT_'.length).toLowerCase()}=${shown(soft)}:${shown(hard)}`),
  },
)

const shown = (limit: Integer): string => (BigInt(limit) === unlimited ? '-1' : String(limit))

function parseUlimit(value: string): Rlimit {
  const [name, limits = ''] = splitAssignment(value)
  const type = `RLIMIT_${name.toUpperCase()}`
  if (!Object.hasOwn(resource, type)) {
    const known = Object.keys(resource).map((one) => one.slice('RLIMIT_'.length).toLowerCase())
    throw refusal(`there is no limit "${name}"`, `use one of ${known.join(', ')}`)
  }
  const [soft = '', hard = soft, ...rest] = limits.split(':')
  if (rest.length > 0) throw refusal('it must be NAME=SOFT:HARD')
  const limit = { type, soft: parseLimit(soft), hard: parseLimit(hard) }
  if (limit.soft > limit.hard) throw refusal('the soft limit is above the hard one')
  return limit
}

function parseLimit(value: string): Integer {
  if (value === '-1' || value === 'unlimited') return unlimited
  if (!/^\d{1,19}$/.test(value)) throw refusal('its limits must be whole numbers, or -1 for none')
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : BigInt(value)
}

export const sysctl: ListFlag = list(
  {
    placeholder: 'name=value',
    help: "a setting of the kernel's for the container's namespaces, as net.core.somaxconn=1024",
  },
  {
    parse: (value) => {
      const [name, setting] = splitAssignment(value)
      if (setting !== undefined && /^(?:net|fs\.mqueue|kernel)[./][\w./-]+$/.test(name)) return [name, setting] as const
      throw refusal('it must be NAME=VALUE of a setting that namespaces have: net.*, fs.mqueue.* and some of kernel.*')
    },
    apply: (config, settings) =>
      withLinux(config, { sysctl: { ...config.linux?.sysctl, ...Object.fromEntries(settings) } }),
    show: ({ linux = {} }) => Object.entries(linux.sysctl ?? {}).map(([name, setting]) => `${name}=${setting}`),
  },
)

export const memory: TextFlag = text(
  { letter: 'm', placeholder: 'size', help: 'the most memory, e.g. 512m; as much again may be swapped out' },
  {
    parse: parseBytes,
    // As docker and podman have it; where the kernel does not count swap, a limit of it would be refused.
    apply: (config, limit, { countsSwap }) => withMemory(config, { limit, ...(countsSwap && { swap: 2 * limit }) }),
    show: ({ linux }) => {
      const limit = linux?.resources?.memory?.limit
      return limit === undefined ? undefined : String(limit)
    },
  },
)

export const memorySwap: TextFlag = text(
  { placeholder: 'size', help: 'the most memory and swap together; -1 for as much swap as there is' },
  {
    parse: (value) => (value === '-1' ? -1 : parseBytes(value)),
    apply: (config, swap) => {
      const limit = config.linux?.resources?.memory?.limit
      if (limit === undefined || limit === -1) throw refusal('it needs a limit of memory', 'give --memory too')
      if (swap !== -1 && swap < limit) throw refusal(`it is less than the ${limit} bytes of --memory`)
      return withMemory(config, { swap })
    },
    show: ({ linux }) => {
      const { limit, swap } = linux?.resources?.memory ?? {}
      if (swap === undefined || (limit !== undefined && BigInt(swap) === 2n * BigInt(limit))) return undefined
      return String(swap)
    },
  },
)

const withMemory = (config: RuntimeConfig, change: Memory): RuntimeConfig =>
  withResources(config, { memory: { ...config.linux?.resources?.memory, ...change } })

export const cpus: TextFlag = text(
  { placeholder: 'number', help: 'how many CPUs it may use, e.g. 1.5' },
  {
    parse: (value) => {
      const quota = Math.round(Number(value) * period)
      if (/^\d*\.?\d+$/.test(value) && quota >= period / 100 && Number.isSafeInteger(quota)) return quota
      throw refusal('it must be a number of at least 0.01')
    },
    apply: (config, quota) => withResources(config, { cpu: { ...config.linux?.resources?.cpu, quota, period } }),
    show: ({ linux }) => {
      const { quota, period: length } = linux?.resources?.cpu ?? {}
      if (quota === undefined || length === undefined || quota === -1) return undefined
      return String(Number(quota) / Number(length))
    },
  },
)

export const cpuShares: TextFlag = text(
  { placeholder: 'number', help: 'its part of the CPUs beside others: 1024 is that of any other' },
  {
    parse: (value) => parseWhole(value, 2, 262_144),
    apply: (config, shares) => withResources(config, { cpu: { ...config.linux?.resources?.cpu, shares } }),
    show: ({ linux }) => {
      const shares = linux?.resources?.cpu?.shares
      return shares === undefined ? undefined : String(shares)
    },
  },
)

export const pidsLimit: TextFlag = text(
  { placeholder: 'number', help: 'how many processes and threads it may have; -1 for any' },
  {
    parse: (value) => parseWhole(value, -1, 2 ** 31 - 1) || -1,
    apply: (config, limit) => withResources(config, { pids: { limit } }),
    show: ({ linux }) => {
      const limit = linux?.resources?.pids?.limit
      return limit === undefined ? undefined : String(limit)
    },
  },
)

export const cgroupParent: TextFlag = text(
  { placeholder: 'path', help: 'the cgroup that the one of the container is in, named after the bundle; or a slice' },
  {
    parse: (value) => {
      const parts = value.split('/').filter((part) => part !== '')
      if (parts.length > 0 && !parts.some((part) => part === '..' || part === '.' || part.includes(':'))) return parts
      throw refusal('it must be the path of a cgroup, or the name of a slice')
    },
    apply: (config, parts, { bundleName }) => {
      const last = parts.at(-1) ?? ''
      const isSlice = last.endsWith('.slice')
      const cgroupsPath = isSlice ? `${last}:bundle-tool:${bundleName}` : `/${parts.join('/')}/${bundleName}`
      return withLinux(config, { cgroupsPath })
    },
    show: ({ linux: { cgroupsPath = '' } = {} }) => {
      const [, slice, parent] = /^(.*\.slice):bundle-tool:[^:]+$|^(\/.+)\/[^/]+$/.exec(cgroupsPath) ?? []
      return slice ?? parent
    },
  },
)
