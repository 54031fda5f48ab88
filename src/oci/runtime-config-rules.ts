import type { Problem } from './problem.ts'
import type { Linux, NamespaceType, RuntimeConfig } from './runtime-config.ts'
import { toPointer } from './schema.ts'

/**
 * Checks the rules of config.json that concern several fields and do not depend on the host.
 *
 * @returns every problem found, in the order of the document's fields; empty when there is none
 * @see runtime-spec v1.3.0 config.md, config-linux.md
 */
export function runtimeConfigProblems(config: RuntimeConfig): Problem[] {
  const namespaces = new Namespaces(config.linux)
  return [
    ...processProblems(config),
    ...nameProblems(config, namespaces),
    ...mountProblems(config),
    ...namespaceProblems(config.linux),
    ...mappingProblems(config.linux, namespaces),
    ...linuxProblems(config.linux, namespaces),
  ]
}

/** The namespaces of a config by type: new ones, and ones that are joined by path. */
class Namespaces {
  readonly #byType: ReadonlyMap<NamespaceType, string | undefined>

  constructor(linux: Linux | undefined) {
    this.#byType = new Map(linux?.namespaces?.map(({ type, path }) => [type, path === '' ? undefined : path]))
  }

  has(type: NamespaceType): boolean {
    return this.#byType.has(type)
  }

  isJoined(type: NamespaceType): boolean {
    return this.#byType.get(type) !== undefined
  }
}

function problem(path: readonly PropertyKey[], message: string): Problem {
  return { pointer: toPointer(path), message }
}

function processProblems({ process }: RuntimeConfig): Problem[] {
  const problems: Problem[] = []
  const seen = new Set<string>()
  process.rlimits?.forEach(({ type, soft, hard }, index) => {
    if (seen.has(type)) problems.push(problem(['process', 'rlimits', index, 'type'], `${type} is given twice`))
    seen.add(type)
    if (soft > hard) {
      const message = `the soft limit ${soft} of ${type} is above its hard limit ${hard}`
      problems.push(problem(['process', 'rlimits', index, 'soft'], message))
    }
  })
  return problems
}

/** The kernel's limit for both names. @see man 2 sethostname: __NEW_UTS_LEN */
const maxNameBytes = 64

function nameProblems(config: RuntimeConfig, namespaces: Namespaces): Problem[] {
  return (['hostname', 'domainname'] as const).flatMap((name) => {
    const value = config[name] ?? ''
    const bytes = new TextEncoder().encode(value).length
    return [
      ...(value === '' || namespaces.has('uts')
        ? []
        : [problem([name], 'needs a uts namespace: add {"type": "uts"} to /linux/namespaces')]),
      ...(bytes > maxNameBytes
        ? [problem([name], `has ${bytes} bytes, more than the ${maxNameBytes} of the kernel`)]
        : []),
    ]
  })
}

function mountProblems({ mounts = [] }: RuntimeConfig): Problem[] {
  const problems: Problem[] = []
  mounts.forEach(({ uidMappings, gidMappings, options = [], type }, index) => {
    const hasUids = (uidMappings?.length ?? 0) > 0
    const hasGids = (gidMappings?.length ?? 0) > 0
    if (hasUids !== hasGids) {
      const missing = hasUids ? 'gidMappings' : 'uidMappings'
      problems.push(problem(['mounts', index], `an idmapped mount needs both mappings, and ${missing} is missing`))
    }
    const isBind = type === 'bind' || options.includes('bind') || options.includes('rbind')
    if (hasUids && !isBind) {
      problems.push(
        problem(['mounts', index, 'uidMappings'], 'only bind mounts can be idmapped: add the option "bind"'),
      )
    }
  })
  return problems
}

function namespaceProblems(linux: Linux | undefined): Problem[] {
  const seen = new Set<string>()
  const problems: Problem[] = []
  linux?.namespaces?.forEach(({ type, path }, index) => {
    const at = ['linux', 'namespaces', index]
    if (seen.has(type)) problems.push(problem([...at, 'type'], `the ${type} namespace is listed twice`))
    seen.add(type)
    if (path !== undefined && path !== '' && !path.startsWith('/')) {
      problems.push(problem([...at, 'path'], `must be an absolute path, not ${JSON.stringify(path)}`))
    }
  })
  return problems
}

function mappingProblems(linux: Linux | undefined, namespaces: Namespaces): Problem[] {
  const hasMappings = (linux?.uidMappings?.length ?? 0) > 0 || (linux?.gidMappings?.length ?? 0) > 0
  if (namespaces.has('user')) {
    if (namespaces.isJoined('user')) return []
    const missing = (['uidMappings', 'gidMappings'] as const).filter((name) => (linux?.[name]?.length ?? 0) === 0)
    return missing.map((name) => problem(['linux', name], 'a new user namespace needs at least one mapping'))
  }
  if (!hasMappings) return []
  const name = (linux?.uidMappings?.length ?? 0) > 0 ? 'uidMappings' : 'gidMappings'
  return [problem(['linux', name], 'mappings need a user namespace: add {"type": "user"} to /linux/namespaces')]
}

function linuxProblems(linux: Linux | undefined, namespaces: Namespaces): Problem[] {
  if (linux === undefined) return []
  const problems: Problem[] = []
  const { maskedPaths = [], readonlyPaths = [], timeOffsets = {}, netDevices = {} } = linux

  const isMountPrivate = namespaces.has('mount')
  if (!isMountPrivate && maskedPaths.length > 0) {
    problems.push(
      problem(['linux', 'maskedPaths'], 'needs a mount namespace: add {"type": "mount"} to /linux/namespaces'),
    )
  }
  if (!isMountPrivate && readonlyPaths.length > 0) {
    problems.push(
      problem(['linux', 'readonlyPaths'], 'needs a mount namespace: add {"type": "mount"} to /linux/namespaces'),
    )
  }

  const clocks = Object.keys(timeOffsets)
  if (clocks.length > 0 && !namespaces.has('time')) {
    problems.push(
      problem(['linux', 'timeOffsets'], 'needs a time namespace: add {"type": "time"} to /linux/namespaces'),
    )
  }
  if (clocks.length > 0 && namespaces.isJoined('time')) {
    problems.push(problem(['linux', 'timeOffsets'], 'cannot be set in a time namespace that is joined by path'))
  }
  for (const clock of clocks.filter((name) => name !== 'monotonic' && name !== 'boottime')) {
    problems.push(
      problem(['linux', 'timeOffsets', clock], 'is not a clock with an offset: these are monotonic, boottime'),
    )
  }

  if (Object.keys(netDevices).length > 0 && !namespaces.has('network')) {
    problems.push(
      problem(['linux', 'netDevices'], 'needs a network namespace: add {"type": "network"} to /linux/namespaces'),
    )
  }
  return problems
}
