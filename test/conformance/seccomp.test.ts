import { afterAll, beforeAll, expect } from 'vitest'
import { verdictOf } from '../../src/compile/seccomp/actions.ts'
import { seccompArchitectures } from '../../src/compile/seccomp/architectures.ts'
import { compileSeccomp } from '../../src/compile/seccomp/filter.ts'
import { parseSyscallTable } from '../../src/compile/seccomp/syscalls/table.ts'
import { OciError } from '../../src/errors.ts'
import type { Seccomp, SeccompArg } from '../../src/oci/runtime-config.ts'
import { runFilter, type SeccompData } from '../compile/seccomp/interpreter.ts'
import { requires } from '../requirements.ts'
import { edgeValues, generateProfile, randomFrom, readPackagedProfile } from './seccomp-profiles.ts'
import { buildReference, referenceOutcome, x32Token } from './seccomp-reference.ts'

const { describe, test } = requires('gcc', 'libseccomp-dev')
const packagedProfile = '/usr/share/containers/seccomp.json'

const audits = [0xc000003e, 0x40000003, 0xc00000b7, 0x40000028, 0xc00000f3]
const x32Bit = 0x40000000
const oddNumbers = [0x3fffffff, x32Bit, 0x7fffffff, 0x80000000, 0xbfffffff, 0xc0000000, 0xfffffffe, 0xffffffff, 0xf0005]

requires('libseccomp-dev', packagedProfile).test(
  "the filter of Podman's default profile decides as libseccomp's",
  () => {
    const reference = buildReference()
    try {
      const { ours, theirs, count } = compareWith(reference, readPackagedProfile(packagedProfile), 1)
      expect(count).toBeGreaterThan(500)
      expect(ours).toBeLessThan(theirs * 0.8)
    } finally {
      reference.dispose()
    }
  },
)

describe('a filter decides as the one that runc makes with libseccomp', () => {
  let reference: ReturnType<typeof buildReference>
  let names: readonly string[]
  beforeAll(() => {
    reference = buildReference()
    names = commonNames()
  })
  afterAll(() => reference.dispose())

  test('for a profile of all system calls that are harmless, with rules on arguments as Docker has them', () => {
    const { ours, theirs, count } = compare(dockerLike(names), 2)
    expect(count).toBeGreaterThan(500)
    expect(ours).toBeLessThan(theirs * 0.8)
  })

  test.each(range(100))('for generated profile %i, one action for each name', (seed) => {
    compare(generateProfile(seed, names, { oneAction: true, orderAlone: true }), seed)
  })

  test.each(range(100))('for generated profile %i, several actions for a name', (seed) => {
    compare(generateProfile(1000 + seed, names, { oneAction: false, orderAlone: true }), seed)
  })

  test('with the same numbers, as far as libseccomp knows them', () => {
    expect(names.length).toBeGreaterThan(450)
  })

  /** Names with the same number here and there on all architectures: an older libseccomp lacks the newest. */
  function commonNames(): readonly string[] {
    const tables = Object.entries(seccompArchitectures).filter(([, { audit }]) => audits.includes(audit))
    const tokens = tables.map(([name, { audit }]) => (name === 'SCMP_ARCH_X32' ? x32Token : audit))
    const numbers = tables.map(([, architecture]) => parseSyscallTable(architecture.table(), architecture.numberBit))
    const all = [...new Set(numbers.flatMap((table) => Object.keys(table)))]
    const answer = reference.of({
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: tables.map(([name]) => name),
      syscalls: [{ names: all, action: 'SCMP_ACT_ALLOW' }],
    })
    if (answer.kind === 'conflict') throw new Error('no rules, and yet a conflict')
    for (const [place, table] of numbers.entries()) {
      for (const [name, number] of Object.entries(table)) {
        const theirs = answer.numbers.get(`${tokens[place]} ${name}`) ?? -1
        if (theirs >= 0) expect([name, number]).toEqual([name, theirs])
      }
    }
    const isAsKnown = (name: string) =>
      numbers.every((table, place) => {
        const theirs = answer.numbers.get(`${tokens[place]} ${name}`) ?? -1
        return (
          theirs >= 0 ||
          table[name] === undefined ||
          (tables[place]?.[1].multiplexers && -300 < theirs && theirs <= -100)
        )
      })
    return all.filter((name) => !answer.unknown.has(name) && isAsKnown(name))
  }

  const compare = (profile: Seccomp, seed: number) => compareWith(reference, profile, seed)
})

/**
 * Runs both filters over numbers and arguments; the instructions that a call of this machine took, on average.
 *
 * Where they differ, libseccomp has to be wrong by the rules of the profile themselves, and ours right.
 */
function compareWith(reference: ReturnType<typeof buildReference>, profile: Seccomp, seed: number) {
  const theirs = reference.of(profile)
  const compiled = outcomeOf(() => compileSeccomp(profile, 'x64'))
  if (theirs.kind === 'conflict' || compiled instanceof OciError) {
    expect([theirs.kind, compiled instanceof OciError && compiled.code]).toEqual(['conflict', 'ERR_CONFIG_INVALID'])
    return { ours: 0, theirs: 0, count: 0 }
  }
  const known = without(profile, theirs.unknown)
  const { instructions } = compileSeccomp(known, 'x64')
  const steps = { ours: 0, theirs: 0, count: 0 }
  for (const data of samplesFor(known, seed)) {
    const expected = referenceOutcome(known, theirs, data)
    const outcome = runFilter(instructions, data)
    if (outcome.verdict !== expected.verdict && !isTheirFault(data, outcome.verdict, expected.verdict)) {
      expect({ ...data, verdict: outcome.verdict }).toEqual({ ...data, verdict: expected.verdict })
    }
    if (data.arch !== 0xc000003e || expected.steps === 0) continue
    steps.ours += outcome.steps
    steps.theirs += expected.steps
    steps.count++
  }
  return { ours: steps.ours / steps.count, theirs: steps.theirs / steps.count, count: steps.count }

  function isTheirFault(data: SeccompData, ourVerdict: number, theirVerdict: number): boolean {
    if (theirs.kind === 'conflict') return false
    const verdicts = matchingVerdicts(known, theirs.numbers, data)
    return verdicts.includes(ourVerdict) && !verdicts.includes(theirVerdict)
  }
}

function range(length: number): readonly number[] {
  return Array.from({ length }, (_, index) => index)
}

/** Docker's default profile in kind: what is harmless is allowed, some of it only with certain arguments. */
function dockerLike(names: readonly string[]): Seccomp {
  const denied = [
    'mount',
    'umount2',
    'bpf',
    'init_module',
    'kexec_load',
    'ptrace',
    'reboot',
    'swapon',
    'keyctl',
    'setns',
  ]
  const special = ['personality', 'clone', 'clone3', 'socket']
  const equal = (value: number) => [{ index: 0, op: 'SCMP_CMP_EQ', value } as const]
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 1,
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
    syscalls: [
      { names: names.filter((name) => !denied.includes(name) && !special.includes(name)), action: 'SCMP_ACT_ALLOW' },
      { names: ['socket'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, op: 'SCMP_CMP_NE', value: 40 }] },
      ...[0, 8, 0x20000, 0x20008, 0xffffffff].map((value) => ({
        names: ['personality'],
        action: 'SCMP_ACT_ALLOW' as const,
        args: equal(value),
      })),
      {
        names: ['clone'],
        action: 'SCMP_ACT_ALLOW',
        args: [{ index: 0, op: 'SCMP_CMP_MASKED_EQ', value: 0x7e020000, valueTwo: 0 }],
      },
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
    ],
  }
}

/** The verdicts of all rules that match by their own words; the default where none does. */
function matchingVerdicts(profile: Seccomp, numbers: ReadonlyMap<string, number>, { arch, nr, args }: SeccompData) {
  const token = arch === 0xc000003e && nr >= x32Bit ? x32Token : arch
  const bits = token === 0xc000003e || token === 0xc00000b7 ? 64 : 32
  const verdicts = (profile.syscalls ?? [])
    .filter(({ names }) => names.some((name) => numbers.get(`${token} ${name}`) === nr))
    .filter(({ args: wanted = [] }) => {
      const holds = (arg: SeccompArg) => meansOf(arg, bits)(BigInt.asUintN(bits, args[arg.index] ?? 0n))
      const isRepeated = new Set(wanted.map(({ index }) => index)).size < wanted.length
      return isRepeated ? wanted.some(holds) : wanted.every(holds)
    })
    .map(({ action, errnoRet }) => verdictOf(action, errnoRet))
  return verdicts.length > 0 ? verdicts : [verdictOf(profile.defaultAction, profile.defaultErrnoRet)]
}

function meansOf(arg: SeccompArg, bits: number): (value: bigint) => boolean {
  const wanted = BigInt.asUintN(bits, BigInt(arg.value))
  switch (arg.op) {
    case 'SCMP_CMP_NE':
      return (value) => value !== wanted
    case 'SCMP_CMP_LT':
      return (value) => value < wanted
    case 'SCMP_CMP_LE':
      return (value) => value <= wanted
    case 'SCMP_CMP_EQ':
      return (value) => value === wanted
    case 'SCMP_CMP_GE':
      return (value) => value >= wanted
    case 'SCMP_CMP_GT':
      return (value) => value > wanted
    case 'SCMP_CMP_MASKED_EQ':
      return (value) => (value & wanted) === (BigInt(arg.valueTwo ?? 0) & wanted)
  }
}

function outcomeOf<T>(action: () => T): T | OciError {
  try {
    return action()
  } catch (error) {
    if (error instanceof OciError) return error
    throw error
  }
}

/** The same profile without names that the reference does not know: they would count as the newest that is known. */
function without(profile: Seccomp, names: ReadonlySet<string>): Seccomp {
  const syscalls = (profile.syscalls ?? [])
    .map((entry) => ({ ...entry, names: entry.names.filter((name) => !names.has(name)) }))
    .filter((entry) => entry.names.length > 0)
  return { ...profile, syscalls }
}

/** All numbers on each architecture, and for those with rules on arguments many arguments near the values compared. */
function* samplesFor(profile: Seccomp, seed: number): Generator<SeccompData> {
  const random = randomFrom(seed)
  const values = [...edgeValues, ...(profile.syscalls ?? []).flatMap(({ args = [] }) => args.flatMap(valuesNear))]
  const conditional = new Set((profile.syscalls ?? []).filter(({ args }) => args?.length).flatMap(({ names }) => names))
  for (const arch of audits) {
    for (let nr = 0; nr < 560; nr++) {
      yield { arch, nr, args: [0n, 0n, 0n, 0n, 0n, 0n] }
      if (arch === 0xc000003e) yield { arch, nr: nr + x32Bit, args: [0n, 0n, 0n, 0n, 0n, 0n] }
    }
    for (const nr of oddNumbers) yield { arch, nr, args: [0n, 0n, 0n, 0n, 0n, 0n] }
  }
  for (const { audit: arch, table, numberBit = 0 } of Object.values(seccompArchitectures)) {
    if (!audits.includes(arch)) continue
    const numbers = parseSyscallTable(table())
    const numbersAndMultiplexers = new Set([...conditional].flatMap((name) => numbers[name] ?? []))
    if (arch === 0x40000003) for (const multiplexer of [102, 117]) numbersAndMultiplexers.add(multiplexer)
    for (const nr of numbersAndMultiplexers) {
      for (let round = 0; round < 60; round++) {
        const args = Array.from({ length: 6 }, () => values[random(values.length)] ?? 0n)
        yield { arch, nr: nr + numberBit, args }
      }
    }
  }
}

function valuesNear({ value, valueTwo = 0 }: { value: number | bigint; valueTwo?: number | bigint | undefined }) {
  return [
    BigInt(value) - 1n,
    BigInt(value),
    BigInt(value) + 1n,
    BigInt(valueTwo),
    BigInt(value) | BigInt(valueTwo),
  ].map((near) => BigInt.asUintN(64, near))
}
