import { OciError } from '../../errors.ts'
import type { Seccomp } from '../../oci/runtime-config.ts'
import { killThreadVerdict } from './actions.ts'
import { isArchitectureName } from './architecture-names.ts'
import { familyOf, nativeArchitecture, seccompArchitectures } from './architectures.ts'
import { assembleFilter } from './assemble.ts'
import { allNames, noNumber, parseOnce, type SyscallNumbers, syscallNumbers } from './calls.ts'
import { checkSeccomp, usesNotify } from './check.ts'
import { filterFlags, isFilterFlagName, newListenerFlag } from './flags.ts'
import { archWord, createNodes, type FilterNode } from './nodes.ts'
import { rangesOf } from './numbers.ts'
import { compileTree, mergeRanges } from './tree.ts'

/** The arguments of seccomp(2), and messages about the profile. */
export interface SeccompFilter {
  /** `struct sock_filter[]` in the byte order of the host. */
  readonly instructions: Uint8Array
  /** `SECCOMP_FILTER_FLAG_*`. */
  readonly flags: number
  /** True when seccomp(2) returns a listener, which must be sent to the agent at `listenerPath`. */
  readonly usesNotify: boolean
  /** Messages about restrictions of the profile that have no effect. */
  readonly warnings: readonly string[]
  /** Messages about other entries of the profile that have no effect, which runc ignores too. */
  readonly notes: readonly string[]
}

/**
 * Compiles a profile to the filter that the kernel runs before each system call.
 *
 * The filter decides like the one that runc makes with libseccomp. It finds the system call's number by binary search. Calls
 * that are allowed whatever their arguments need no run of the filter since Linux 5.11.
 * @param arch `process.arch` of the host
 * @throws OciError `ERR_CONFIG_INVALID` a profile that contradicts itself, with the pointer;
 *   `ERR_NOT_SUPPORTED` no filters for this host, or a filter longer than the kernel accepts
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
  const abis = syscallNumbers(
    seccomp,
    [...names].map((name) => seccompArchitectures[name]),
  )
  return {
    instructions: assembleFilter(compileArchitectures(seccomp, abis), isBigEndian),
    flags: flagsOf(seccomp),
    usesNotify: usesNotify(seccomp),
    ...unknownNames(seccomp, abis),
  }
}

/** Parses what filters for this host may need, before there is a profile: for an interpreter whose modules are loaded already. */
export function prepare(arch: string): void {
  allNames()
  for (const name of familyOf(arch)) parseOnce(seccompArchitectures[name])
}

/** Builds the tests of the architecture. A call of one that is not in the profile kills the thread, as in libseccomp. */
function compileArchitectures(seccomp: Seccomp, abis: readonly SyscallNumbers[]): FilterNode {
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

/** The flags for seccomp(2). The default of the field `flags` is SPEC_ALLOW, which exists since Linux 4.17. */
function flagsOf(seccomp: Seccomp): number {
  const names = seccomp.flags ?? ['SECCOMP_FILTER_FLAG_SPEC_ALLOW']
  const bits = names.filter(isFilterFlagName).map((name) => filterFlags[name])
  return bits.reduce((flags, bit) => flags | bit, usesNotify(seccomp) ? newListenerFlag : 0)
}

/** Messages about names that no architecture has: they are probably mistyped, or newer than this tool. */
function unknownNames(
  { defaultAction, syscalls = [] }: Seccomp,
  abis: readonly SyscallNumbers[],
): Pick<SeccompFilter, 'warnings' | 'notes'> {
  const strange = syscalls.flatMap(({ names }, entry) => namesWithoutNumber(names, entry, abis))
  if (strange.length === 0) return { warnings: [], notes: [] }
  const unknown = [...new Set(strange)].filter((name) => allNames()[name] === undefined)
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

/** Those names of an entry that no architecture of the profile has. */
function namesWithoutNumber(
  names: readonly string[],
  entry: number,
  abis: readonly SyscallNumbers[],
): readonly string[] {
  const [first, ...others] = abis.map(({ byEntry }) => byEntry[entry] ?? [])
  const strange: string[] = []
  if (first === undefined) return strange
  for (let place = first.indexOf(noNumber); place >= 0; place = first.indexOf(noNumber, place + 1))
    if (others.every((numbers) => numbers[place] === noNumber)) strange.push(names[place] ?? '')
  return strange
}

const letsThrough = (action: Seccomp['defaultAction']): boolean =>
  action === 'SCMP_ACT_ALLOW' || action === 'SCMP_ACT_LOG'
