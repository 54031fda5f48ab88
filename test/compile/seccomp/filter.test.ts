import { describe, expect, test } from 'vitest'
import { compileSeccomp } from '../../../src/compile/seccomp/filter.ts'
import { OciError } from '../../../src/errors.ts'
import type { Seccomp, SeccompArg, SeccompOperator } from '../../../src/oci/runtime-config.ts'
import { edgeValues, generateProfile, operators, randomFrom } from '../../conformance/seccomp-profiles.ts'
import { runFilter } from './interpreter.ts'

const x86_64 = 0xc000003e
const x86 = 0x40000003
const kill = 0
const allow = 0x7fff0000
const errno = (code: number) => 0x50000 | code
const ENOSYS = 38

interface Call {
  readonly arch?: number
  readonly args?: readonly bigint[]
  readonly on?: string
}

/** The verdict of a profile's filter for a system call. */
function verdict(profile: Seccomp, nr: number, { arch = x86_64, args = [], on = 'x64' }: Call = {}): number {
  return runFilter(compileSeccomp(profile, on).instructions, { arch, nr, args }, on !== 's390x').verdict
}

function caught(action: () => unknown): OciError {
  try {
    action()
  } catch (error) {
    if (error instanceof OciError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

const allowList = (...names: string[]): Seccomp => ({
  defaultAction: 'SCMP_ACT_ERRNO',
  syscalls: [{ names, action: 'SCMP_ACT_ALLOW' }],
})

describe('actions', () => {
  test.each([
    ['SCMP_ACT_KILL', 0],
    ['SCMP_ACT_KILL_THREAD', 0],
    ['SCMP_ACT_KILL_PROCESS', 0x80000000],
    ['SCMP_ACT_TRAP', 0x30000],
    ['SCMP_ACT_ERRNO', 0x50001],
    ['SCMP_ACT_TRACE', 0x7ff00001],
    ['SCMP_ACT_LOG', 0x7ffc0000],
    ['SCMP_ACT_NOTIFY', 0x7fc00000],
  ] as const)('%s is what the kernel calls it', (action, expected) => {
    const profile: Seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      listenerPath: '/agent',
      syscalls: [{ names: ['getpid'], action }],
    }
    expect(verdict(profile, 39)).toBe(expected)
    expect(verdict(profile, 40)).toBe(allow)
  })

  test('errnoRet is the errno of its rule, defaultErrnoRet that of the rest', () => {
    const profile: Seccomp = {
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 13,
      syscalls: [
        { names: ['getpid'], action: 'SCMP_ACT_ERRNO', errnoRet: 100 },
        { names: ['uname'], action: 'SCMP_ACT_ALLOW' },
      ],
    }
    expect(verdict(profile, 39)).toBe(errno(100))
    expect(verdict(profile, 40)).toBe(errno(13))
  })
})

describe('system calls that are newer than the profile', () => {
  test('get ENOSYS, and older ones that it does not name get the default', () => {
    const profile = allowList('read', 'uname')
    expect(verdict(profile, 62)).toBe(errno(1))
    expect(verdict(profile, 63)).toBe(allow)
    expect(verdict(profile, 64)).toBe(errno(ENOSYS))
    expect(verdict(profile, 500)).toBe(errno(ENOSYS))
  })

  test('get ENOSYS where the default kills, whatever defaultErrnoRet says', () => {
    expect(verdict({ ...allowList('uname'), defaultAction: 'SCMP_ACT_KILL_PROCESS' }, 64)).toBe(errno(ENOSYS))
  })

  test.each(['SCMP_ACT_LOG', 'SCMP_ACT_TRACE'] as const)('get the default where it is %s', (defaultAction) => {
    expect(verdict({ ...allowList('uname'), defaultAction }, 64)).not.toBe(errno(ENOSYS))
  })

  test('are above every name, also that of a rule with the default action', () => {
    const profile: Seccomp = { ...allowList('read'), syscalls: [{ names: ['uname'], action: 'SCMP_ACT_ERRNO' }] }
    expect([verdict(profile, 60), verdict(profile, 64)]).toEqual([errno(1), errno(ENOSYS)])
  })

  test('are found by the numbers of each architecture', () => {
    const profile = { ...allowList('openat'), architectures: ['SCMP_ARCH_X86'] }
    expect(verdict(profile, 258)).toBe(errno(ENOSYS))
    expect(verdict(profile, 258, { arch: x86 })).toBe(errno(1))
    expect(verdict(profile, 296, { arch: x86 })).toBe(errno(ENOSYS))
  })

  test('have the number 0 on s390x, which hides unknown numbers', () => {
    expect(verdict(allowList('read'), 0, { on: 's390x', arch: 0x80000016 })).toBe(errno(ENOSYS))
    expect(verdict(allowList('read'), 3, { on: 's390x', arch: 0x80000016 })).toBe(allow)
  })
})

describe('architectures', () => {
  test('that are not in the profile kill the thread', () => {
    expect(verdict(allowList('read'), 3, { arch: x86 })).toBe(kill)
    expect(verdict(allowList('read'), 0x40000000)).toBe(kill)
  })

  test('have numbers of their own', () => {
    const profile = { ...allowList('execve', 'close_range'), architectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] }
    expect(verdict(profile, 59)).toBe(allow)
    expect(verdict(profile, 11, { arch: x86 })).toBe(allow)
    expect(verdict(profile, 0x40000000 + 520)).toBe(allow)
    expect(verdict(profile, 0x40000000 + 59)).toBe(errno(1))
    expect(verdict({ ...profile, architectures: [] }, 221, { on: 'arm64', arch: 0xc00000b7 })).toBe(allow)
    expect(verdict({ ...profile, architectures: [] }, 221, { on: 'riscv64', arch: 0xc00000f3 })).toBe(allow)
    expect(verdict({ ...profile, architectures: [] }, 11, { on: 'ppc64', arch: 0xc0000015 })).toBe(allow)
  })

  test('with socketcall allow a socket call by both numbers', () => {
    const profile = { ...allowList('connect', 'close_range'), architectures: ['SCMP_ARCH_X86'] }
    expect(verdict(profile, 362, { arch: x86 })).toBe(allow)
    expect(verdict(profile, 102, { arch: x86, args: [3n] })).toBe(allow)
    expect(verdict(profile, 102, { arch: x86, args: [4n] })).toBe(errno(1))
  })

  test('are refused when unknown, or of another byte order', () => {
    const error = caught(() => compileSeccomp({ ...allowList('read'), architectures: ['SCMP_ARCH_PDP11'] }, 'x64'))
    expect(error.message).toContain('SCMP_ARCH_PDP11 is not a valid arch for seccomp')
    expect(error.pointer).toBe('/linux/seccomp/architectures/0')
    const foreign = caught(() => compileSeccomp({ ...allowList('read'), architectures: ['SCMP_ARCH_S390X'] }, 'x64'))
    expect([foreign.code, foreign.pointer]).toEqual(['ERR_CONFIG_INVALID', '/linux/seccomp/architectures/0'])
    expect(caught(() => compileSeccomp(allowList('read'), 'pdp11')).code).toBe('ERR_NOT_SUPPORTED')
  })

  test('of 32 bits compare the lower halves', () => {
    const args: SeccompArg[] = [{ index: 0, op: 'SCMP_CMP_EQ', value: 5 }]
    const profile: Seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86'],
      syscalls: [{ names: ['close'], action: 'SCMP_ACT_KILL', args }],
    }
    expect(verdict(profile, 6, { arch: x86, args: [0x1_00000005n] })).toBe(kill)
    expect(verdict(profile, 3, { args: [0x1_00000005n] })).toBe(allow)
  })
})

/** The meaning of each operator. */
const meanings: Readonly<Record<SeccompOperator, (value: bigint, arg: SeccompArg) => boolean>> = {
  SCMP_CMP_NE: (value, arg) => value !== BigInt(arg.value),
  SCMP_CMP_LT: (value, arg) => value < BigInt(arg.value),
  SCMP_CMP_LE: (value, arg) => value <= BigInt(arg.value),
  SCMP_CMP_EQ: (value, arg) => value === BigInt(arg.value),
  SCMP_CMP_GE: (value, arg) => value >= BigInt(arg.value),
  SCMP_CMP_GT: (value, arg) => value > BigInt(arg.value),
  SCMP_CMP_MASKED_EQ: (value, arg) => (value & BigInt(arg.value)) === (BigInt(arg.value) & BigInt(arg.valueTwo ?? 0)),
}

function operatorNamed(name: string): SeccompOperator {
  const found = operators.find((operator) => operator === name)
  if (!found) throw new Error(`no operator ${name}`)
  return found
}

describe('arguments', () => {
  test.each(Object.entries(meanings))('%s compares 64 bits without sign', (name, means) => {
    const op = operatorNamed(name)
    for (const value of edgeValues) {
      const arg = { index: 3, op, value, valueTwo: 0x8000_0000_0000_0001n }
      const profile: Seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['getpid'], action: 'SCMP_ACT_KILL', args: [arg] }],
      }
      const { instructions } = compileSeccomp(profile, 'x64')
      for (const near of edgeValues.flatMap((edge) => [edge - 1n, edge, edge + 1n])) {
        const actual = BigInt.asUintN(64, near)
        const expected = means(actual, arg) ? kill : allow
        const outcome = runFilter(instructions, { arch: x86_64, nr: 39, args: [0n, 0n, 0n, actual] })
        expect([op, value, actual, outcome.verdict]).toEqual([op, value, actual, expected])
      }
    }
  })

  test.each(Array.from({ length: 60 }, (_, seed) => seed))(
    'of profile %i must all hold; on a repeated argument any of them',
    (seed) => {
      const { syscalls = [], defaultAction } = generateProfile(seed, ['getpid'], { oneAction: true, orderAlone: false })
      const profile: Seccomp = { defaultAction, syscalls: syscalls.filter(({ args }) => args?.length) }
      const otherwise = verdict({ defaultAction }, 39)
      const [rule] = profile.syscalls ?? []
      const chosen = rule ? verdict({ defaultAction, syscalls: [{ ...rule, args: [] }] }, 39) : otherwise
      const { instructions } = compileSeccomp(profile, 'x64')
      const random = randomFrom(seed)
      for (let round = 0; round < 300; round++) {
        const args = Array.from({ length: 6 }, () =>
          BigInt.asUintN(64, (edgeValues[random(20)] ?? 0n) + BigInt(random(3)) - 1n),
        )
        const holds = (arg: SeccompArg) => meanings[arg.op](args[arg.index] ?? 0n, arg)
        const isMatch = profile.syscalls?.some(({ args: wanted = [] }) =>
          new Set(wanted.map(({ index }) => index)).size < wanted.length ? wanted.some(holds) : wanted.every(holds),
        )
        expect(runFilter(instructions, { arch: x86_64, nr: 39, args }).verdict).toBe(isMatch ? chosen : otherwise)
      }
    },
  )

  test('with contradicting actions are refused with both places', () => {
    const args: SeccompArg[] = [{ index: 0, op: 'SCMP_CMP_EQ', value: 5 }]
    const error = caught(() =>
      compileSeccomp(
        {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [
            { names: ['read'], action: 'SCMP_ACT_KILL', args },
            { names: ['read'], action: 'SCMP_ACT_ERRNO', args },
          ],
        },
        'x64',
      ),
    )
    expect([error.code, error.pointer]).toEqual(['ERR_CONFIG_INVALID', '/linux/seccomp/syscalls/1'])
    expect(error.message).toContain('/linux/seccomp/syscalls/0')
  })
})

describe('size', () => {
  const valuesOf = (count: number): Seccomp => ({
    defaultAction: 'SCMP_ACT_KILL',
    syscalls: [
      {
        names: ['read'],
        action: 'SCMP_ACT_ALLOW',
        args: Array.from({ length: count }, (_, value) => ({ index: 0, op: 'SCMP_CMP_EQ', value })),
      },
    ],
  })

  test('a filter with far jumps decides correctly at each end', () => {
    const profile = valuesOf(3000)
    for (const value of [0, 1, 254, 255, 256, 257, 700, 2999]) {
      expect([value, verdict(profile, 0, { args: [BigInt(value)] })]).toEqual([value, allow])
    }
    expect(verdict(profile, 0, { args: [3000n] })).toBe(kill)
    expect(verdict(profile, 0, { args: [1n << 32n] })).toBe(kill)
  })

  test('a filter that is too long for the kernel is refused', () => {
    const error = caught(() => compileSeccomp(valuesOf(5000), 'x64'))
    expect([error.code, error.pointer]).toEqual(['ERR_NOT_SUPPORTED', '/linux/seccomp/syscalls'])
    expect(error.message).toContain('4096')
  })

  test('consecutive calls with the same verdict share their tests', () => {
    const { instructions } = compileSeccomp(
      allowList('read', 'write', 'open', 'close', 'stat', 'fstat', 'lstat'),
      'x64',
    )
    expect(instructions.byteLength / 8).toBeLessThan(14)
  })
})

describe('flags', () => {
  const flagsOf = (flags?: string[]) => compileSeccomp({ ...allowList('read'), ...(flags && { flags }) }, 'x64').flags

  test('are SPEC_ALLOW by default, none when empty, and TSYNC has no effect', () => {
    expect(flagsOf()).toBe(4)
    expect(flagsOf([])).toBe(0)
    expect(flagsOf(['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_LOG'])).toBe(2)
    expect(flagsOf(['SECCOMP_FILTER_FLAG_SPEC_ALLOW', 'SECCOMP_FILTER_FLAG_LOG'])).toBe(6)
  })

  test('that are unknown, or need a listener without having one, are refused', () => {
    expect(caught(() => flagsOf(['SECCOMP_FILTER_FLAG_SPEED'])).pointer).toBe('/linux/seccomp/flags/0')
    expect(caught(() => flagsOf(['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'])).message).toContain('SCMP_ACT_NOTIFY')
  })
})

describe('SCMP_ACT_NOTIFY', () => {
  const notify = (more: Partial<Seccomp>): Seccomp => ({
    defaultAction: 'SCMP_ACT_ALLOW',
    listenerPath: '/agent',
    syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
    ...more,
  })

  test('asks for a listener', () => {
    const filter = compileSeccomp(notify({ flags: ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'] }), 'x64')
    expect([filter.usesNotify, filter.flags]).toEqual([true, 40])
    expect(compileSeccomp({ ...allowList('read'), listenerPath: '/agent' }, 'x64').usesNotify).toBe(false)
  })

  test('is refused for write, as the default, and without a path; all problems are named at once', () => {
    const write = caught(() =>
      compileSeccomp(
        notify({ listenerPath: '', syscalls: [{ names: ['read', 'write'], action: 'SCMP_ACT_NOTIFY' }] }),
        'x64',
      ),
    )
    expect(write.message).toContain('SCMP_ACT_NOTIFY cannot be used for the write syscall')
    expect(write.message).toContain('seccomp listenerPath is not set')
    expect(write.pointer).toBe('/linux/seccomp/syscalls/0/action')
    const byDefault = caught(() => compileSeccomp(notify({ defaultAction: 'SCMP_ACT_NOTIFY' }), 'x64'))
    expect(byDefault.message).toContain('SCMP_ACT_NOTIFY cannot be used as default action')
  })
})

describe('entries without effect', () => {
  test('a name that no architecture has causes a note, one of another architecture does not', () => {
    const { warnings, notes } = compileSeccomp(allowList('read', 'raed', 'breakpoint'), 'x64')
    expect({ warnings, notes }).toEqual({ warnings: [], notes: ['unknown seccomp syscall "raed" ignored'] })
  })

  test('a denied name that no architecture has causes a warning', () => {
    const syscalls = [{ names: ['read', 'raed'], action: 'SCMP_ACT_ERRNO' } as const]
    const { warnings, notes } = compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW', syscalls }, 'x64')
    expect({ warnings, notes }).toEqual({ warnings: [expect.stringContaining('"raed"')], notes: [] })
  })

  test('an errno for an action that takes none is refused', () => {
    const syscalls = [{ names: ['read'], action: 'SCMP_ACT_ALLOW', errnoRet: 1 } as const]
    const error = caught(() => compileSeccomp({ defaultAction: 'SCMP_ACT_KILL', syscalls }, 'x64'))
    expect(error.pointer).toBe('/linux/seccomp/syscalls/0/errnoRet')
  })
})
