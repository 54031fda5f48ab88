import { readFileSync } from 'node:fs'
import * as z from 'zod/mini'
import type {
  Seccomp,
  SeccompAction,
  SeccompArg,
  SeccompOperator,
  SeccompSyscall,
} from '../../src/oci/runtime-config.ts'

/** A generator of numbers that begins anew with each seed (mulberry32). */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const equality: readonly SeccompOperator[] = ['SCMP_CMP_NE', 'SCMP_CMP_EQ', 'SCMP_CMP_MASKED_EQ']
const order: readonly SeccompOperator[] = ['SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_GE', 'SCMP_CMP_GT']
export const operators: readonly SeccompOperator[] = [...equality, ...order]
const actions: readonly SeccompAction[] = [
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_LOG',
]

/** Values around which comparisons of halves go wrong. */
export const edgeValues: readonly bigint[] = [
  ...[0n, 1n, 2n, 5n, 8n, 16n, 40n, 0x7fffffffn, 0x80000000n, 0xfffffffen, 0xffffffffn, 0x100000000n],
  ...[0x100000001n, 0x1_00000005n, 0x7fffffff_ffffffffn, 0x80000000_00000000n, 0xffffffff_00000000n],
  ...[0xffffffff_fffffffen, 0xffffffff_ffffffffn, 0x7e020000n],
]

export interface ProfileOptions {
  /** All rules of a name have the same action, so that their order is of no account. */
  readonly oneAction: boolean
  /**
   * Comparisons by size only in rules that are alone with their name: libseccomp (2.5.4) loses some of the answers where
   * two rules compare one argument by size (`arg1 < 2 or arg1 <= 0x100000001` does not hold for 0x7e020001).
   */
  readonly orderAlone: boolean
}

/** A profile made up from a seed: up to 60 entries, a third of them with conditions. */
export function generateProfile(seed: number, names: readonly string[], options: ProfileOptions): Seccomp {
  const random = randomFrom(seed)
  const pick = <T>(from: readonly T[]): T => {
    const one = from[random(from.length)]
    if (one === undefined) throw new Error('nothing to pick from')
    return one
  }
  const arg = (index: number, from: readonly SeccompOperator[]): SeccompArg => {
    return { index, op: pick(from), value: pick(edgeValues), valueTwo: pick(edgeValues) }
  }
  const few = Array.from({ length: 12 }, () => pick(names))
  const ordered = new Set<string>()
  const conditional = new Set<string>()
  const argsFor = (name: string): readonly SeccompArg[] => {
    const kind = random(9)
    if (kind > 2 || ordered.has(name)) return []
    const isAlone = !conditional.has(name) && kind < 2 && !multiplexed.test(name) && random(2) === 0
    conditional.add(name)
    if (isAlone && options.orderAlone) ordered.add(name)
    const some = isAlone ? order : options.orderAlone ? equality : operators
    if (kind === 0) return [arg(random(3), some)]
    if (kind === 1) return [arg(random(2), some), arg(2 + random(2), some)]
    return [arg(0, some), arg(0, some), arg(random(4), some)]
  }
  const actionOf = new Map<string, Pick<SeccompSyscall, 'action' | 'errnoRet'>>()
  const actionFor = (name: string): Pick<SeccompSyscall, 'action' | 'errnoRet'> => {
    const known = options.oneAction ? actionOf.get(name) : undefined
    const action = pick(actions)
    const one =
      known ?? (action === 'SCMP_ACT_ERRNO' && random(2) === 0 ? { action, errnoRet: 1 + random(100) } : { action })
    actionOf.set(name, one)
    return one
  }
  const syscalls = Array.from({ length: 1 + random(60) }, () => {
    const name = pick(random(2) === 0 ? few : names)
    return { names: [name], ...actionFor(name), args: argsFor(name) }
  })
  return { defaultAction: pick(actions), architectures: architectures.filter(() => random(2) === 0), syscalls }
}

const architectures = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32', 'SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']
/** Names that share the numbers of socketcall and ipc. */
const multiplexed = /^(socket|bind|connect|listen|accept|get(sock|peer)|send|recv|shut|setsock|sem|msg|shm)/

const packaged = z.object({
  defaultAction: z.custom<SeccompAction>(),
  syscalls: z.array(
    z.object({
      names: z.array(z.string()),
      action: z.custom<SeccompAction>(),
      errnoRet: z.optional(z.number()),
      args: z.nullable(z.array(z.custom<SeccompArg>())),
      includes: z.object({ caps: z.optional(z.array(z.string())), arches: z.optional(z.array(z.string())) }),
      excludes: z.object({ caps: z.optional(z.array(z.string())), arches: z.optional(z.array(z.string())) }),
    }),
  ),
})

/** The default profile of Podman, Docker's in origin, for a container on x86_64 without capabilities. */
export function readPackagedProfile(path: string): Seccomp {
  const { defaultAction, syscalls } = packaged.parse(JSON.parse(readFileSync(path, 'utf8')))
  return {
    defaultAction,
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
    syscalls: syscalls
      .filter(({ includes }) => !includes.caps?.length && (includes.arches?.includes('amd64') ?? true))
      .filter(({ excludes }) => !excludes.arches?.includes('amd64'))
      .map(({ names, action, errnoRet, args }) => ({ names, action, errnoRet, args: args ?? [] })),
  }
}
