import { OciError } from '../../errors.ts'
import type { Seccomp } from '../../oci/runtime-config.ts'
import { killThreadVerdict } from './actions.ts'
import { isArchitectureName, nativeArchitecture, seccompArchitectures } from './architectures.ts'
import { assembleFilter } from './assemble.ts'
import { type CallNumbers, callNumbers } from './calls.ts'
import { checkSeccomp, usesNotify } from './check.ts'
import { filterFlags, isFilterFlagName, newListenerFlag } from './flags.ts'
import { archWord, createNodes, type FilterNode } from './nodes.ts'
import { rangesOf } from './numbers.ts'
import { compileTree, mergeRanges } from './tree.ts'

/** What seccomp(2) is called with. */
export interface SeccompFilter {
  /** `struct sock_filter[]` in the byte order of the host. */
  readonly instructions: Uint8Array
  /** `SECCOMP_FILTER_FLAG_*`. */
  readonly flags: number
  /** Whether seccomp(2) returns a listener, which the agent at `listenerPath` has to get. */
  readonly usesNotify: boolean
  /** What the profile restricts and this filter does not; each is a sentence. */
  readonly warnings: readonly string[]
  /** What else of the profile has no effect, where runc too goes on. */
  readonly notes: readonly string[]
}

/**
 * Compiles a profile to the filter that the kernel runs before each system call.
 *
 * The filter decides as the one that runc makes with libseccomp. It asks for the number by halves, and what it lets
 * through or refuses whatever the arguments, the kernel (5.11) need not run it for.
 * @param arch the architecture of the host, as `process.arch` has it
 * @throws OciError `ERR_CONFIG_INVALID` a profile that contradicts itself, with the pointer;
 *   `ERR_NOT_SUPPORTED` no filters for this host, or a filter longer than the kernel takes
 * @see runtime-spec v1.3.0 config-linux.md "Seccomp"
 */
export function compileSeccomp(seccomp: Seccomp, arch: string): SeccompFilter {
  const native = nativeArchitecture(arch)
  if (!native) {
    throw new OciError('ERR_NOT_SUPPORTED', `there are no seccomp filters for "${arch}"`, { pointer: '/linux/seccomp' })
  }
  const { isBigEndian } = seccompArchitectures[native]
  checkSeccomp(seccomp, { isBigEndian })
  const names = new Set([native, ...(seccomp.architectures ?? []).filter(isArchitectureName)])
  const abis = [...names].map((name) => callNumbers(seccompArchitectures[name]))
  return {
    instructions: assembleFilter(compileArchitectures(seccomp, abis), isBigEndian),
    flags: flagsOf(seccomp),
    usesNotify: usesNotify(seccomp),
    ...unknownNames(seccomp, abis),
  }
}

/** A call of an architecture that is not in the profile kills the thread, as libseccomp has it. */
function compileArchitectures(seccomp: Seccomp, abis: readonly CallNumbers[]): FilterNode {
  const nodes = createNodes()
  const audits = new Set(abis.map(({ architecture }) => architecture.audit))
  return [...audits].reduceRight<FilterNode>((no, audit) => {
    const ranges = rangesOf(
      seccomp,
      abis.filter(({ architecture }) => architecture.audit === audit),
      nodes,
    )
    return nodes.tests(archWord, 'eq', audit, { yes: compileTree(mergeRanges(ranges), nodes), no })
  }, nodes.returns(killThreadVerdict))
}

/** Without a `flags` field it is SPEC_ALLOW alone; the kernel has it since Linux 4.17. */
function flagsOf(seccomp: Seccomp): number {
  const names = seccomp.flags ?? ['SECCOMP_FILTER_FLAG_SPEC_ALLOW']
  const bits = names.filter(isFilterFlagName).map((name) => filterFlags[name])
  return bits.reduce((flags, bit) => flags | bit, usesNotify(seccomp) ? newListenerFlag : 0)
}

/** Names that no architecture has are most likely mistyped, or of a newer kernel than this tool knows. */
function unknownNames(
  { defaultAction, syscalls = [] }: Seccomp,
  abis: readonly CallNumbers[],
): Pick<SeccompFilter, 'warnings' | 'notes'> {
  const names = new Set(syscalls.flatMap((entry) => entry.names))
  const strange = [...names].filter((name) => abis.every(({ byName }) => !byName.has(name)))
  if (strange.length === 0) return { warnings: [], notes: [] }
  // Cheaper than the maps of all architectures, which nothing else needs.
  const words = Object.values(seccompArchitectures).map(({ table }) => table().replaceAll('\n', ' '))
  const unknown = strange.filter((name) => !words.some((text) => text.includes(` ${name} `)))
  const isMeantToRestrict = (name: string): boolean =>
    letsThrough(defaultAction) &&
    syscalls.some(({ names: listed, action }) => listed.includes(name) && !letsThrough(action))
  return {
    warnings: unknown
      .filter(isMeantToRestrict)
      .map((name) => `/linux/seccomp/syscalls: there is no system call "${name}": its rule has no effect`),
    notes: unknown
      .filter((name) => !isMeantToRestrict(name))
      .map((name) => `unknown seccomp syscall "${name}" ignored`),
  }
}

const letsThrough = (action: Seccomp['defaultAction']): boolean =>
  action === 'SCMP_ACT_ALLOW' || action === 'SCMP_ACT_LOG'
