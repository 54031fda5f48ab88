/** A device rule for both cgroup versions; an undefined number matches any. */
export interface FilterRule {
  readonly allow: boolean
  readonly type: 'a' | 'b' | 'c'
  readonly major: number | undefined
  readonly minor: number | undefined
  /** Letters of `r`, `w` and `m`. */
  readonly access: string
}

const types = { b: 1, c: 2 } as const // BPF_DEVCG_DEV_*
const accesses = { m: 1, r: 2, w: 4 } as const // BPF_DEVCG_ACC_*
const everyAccess = 7

/** Registers of the filter. `device` has both numbers in one, as the kernel encodes them (dev_t). */
const register = { result: 0, context: 1, type: 2, access: 3, major: 4, minor: 5, device: 6, scratch: 7 } as const

/** Opcodes of eBPF, composed as in linux/bpf.h; operations have 32 bits. */
const opcode = {
  load32: 0x61, // LDX | MEM | W
  setImmediate: 0xb4, // ALU | MOV | K
  setRegister: 0xbc, // ALU | MOV | X
  and: 0x54, // ALU | AND | K
  or: 0x4c, // ALU | OR | X
  shiftLeft: 0x64, // ALU | LSH | K
  shiftRight: 0x74, // ALU | RSH | K
  jump: 0x05, // JMP | JA
  jumpIfNotImmediate: 0x56, // JMP32 | JNE | K
  jumpIfNotRegister: 0x5e, // JMP32 | JNE | X
  jumpIfImmediate: 0x16, // JMP32 | JEQ | K
  exit: 0x95, // JMP | EXIT
} as const

interface Instruction {
  readonly code: number
  readonly to?: number
  readonly from?: number
  readonly offset?: number
  readonly immediate?: number
  /** The label that a jump goes to. */
  readonly target?: string
}

/** An instruction, or the label of the instruction after it. */
type Line = Instruction | string

const instructionBytes = 8

/** include/linux/kdev_t.h MINORBITS */
const minorBits = 20
const maxMajor = 2 ** (32 - minorBits) - 1
const maxMinor = 2 ** minorBits - 1

/**
 * Compiles rules to a BPF_PROG_TYPE_CGROUP_DEVICE program. The last rule that matches decides; if none does, access is
 * denied.
 *
 * An allowing rule matches when it has all of the requested access, a denying one when it has any of it. The kernel's
 * verifier takes 6 µs for each jump, more than for other instructions, so consecutive rules share their checks.
 * @see linux/bpf.h struct bpf_cgroup_dev_ctx: access in the upper and type in the lower half of a word, major, minor
 */
export function deviceFilter(rules: readonly FilterRule[]): Uint8Array {
  const possible = rules.filter(({ major = 0, minor = 0 }) => major <= maxMajor && minor <= maxMinor).toReversed()
  const unconditional = possible.findIndex(isForAll)
  const otherwise = possible[unconditional]?.allow ?? false
  const groups = grouped(unconditional < 0 ? possible : possible.slice(0, unconditional))
  const body = groups.flatMap((group, index) => compileGroup(group, `group ${index}`))
  const isOtherUsed = groups.some(([{ allow }]) => allow !== otherwise)
  return assemble([
    { code: opcode.load32, to: register.type, from: register.context, offset: 0 },
    { code: opcode.setRegister, to: register.access, from: register.type },
    { code: opcode.and, to: register.type, immediate: 0xffff },
    { code: opcode.shiftRight, to: register.access, immediate: 16 },
    { code: opcode.load32, to: register.major, from: register.context, offset: 4 },
    { code: opcode.load32, to: register.minor, from: register.context, offset: 8 },
    { code: opcode.setRegister, to: register.device, from: register.major },
    { code: opcode.shiftLeft, to: register.device, immediate: minorBits },
    { code: opcode.or, to: register.device, from: register.minor },
    ...body,
    ...answer(otherwise),
    ...(isOtherUsed ? answer(!otherwise) : []), // the verifier refuses dead code
  ])
}

const labelOf = (allow: boolean): string => (allow ? 'allow' : 'deny')

const answer = (allow: boolean): readonly Line[] => [
  labelOf(allow),
  { code: opcode.setImmediate, to: register.result, immediate: allow ? 1 : 0 },
  { code: opcode.exit },
]

const hasNumbers = ({ major, minor }: FilterRule): boolean => major !== undefined || minor !== undefined

/** True when a rule is for every device and all access. */
export const isForAll = (rule: FilterRule): boolean =>
  rule.type === 'a' && maskOf(rule.access) === everyAccess && !hasNumbers(rule)

const maskOf = (access: string): number =>
  [...access].reduce((mask, letter) => mask | (accesses[letter as keyof typeof accesses] ?? 0), 0)

/** Groups consecutive rules that differ only in their numbers. */
function grouped(rules: readonly FilterRule[]): readonly (readonly [FilterRule, ...FilterRule[]])[] {
  const groups: [FilterRule, ...FilterRule[]][] = []
  for (const rule of rules) {
    const first = groups.at(-1)?.[0]
    const isLike =
      first?.type === rule.type && first.allow === rule.allow && maskOf(first.access) === maskOf(rule.access)
    if (isLike) groups.at(-1)?.push(rule)
    else groups.push([rule])
  }
  return groups
}

function compileGroup(group: readonly [FilterRule, ...FilterRule[]], end: string): readonly Line[] {
  const [{ type, allow, access }] = group
  const mask = maskOf(access)
  const whole = group.find((rule) => !hasNumbers(rule))
  return [
    ...(type === 'a'
      ? []
      : [{ code: opcode.jumpIfNotImmediate, to: register.type, immediate: types[type], target: end }]),
    ...(mask === everyAccess ? [] : unlessAccess(allow, mask, end)),
    ...(whole ? [{ code: opcode.jump, target: labelOf(allow) }] : group.map((rule) => ifNumbers(rule, labelOf(allow)))),
    end,
  ]
}

function unlessAccess(allow: boolean, mask: number, target: string): readonly Instruction[] {
  return [
    { code: opcode.setRegister, to: register.scratch, from: register.access },
    { code: opcode.and, to: register.scratch, immediate: mask },
    allow
      ? { code: opcode.jumpIfNotRegister, to: register.scratch, from: register.access, target }
      : { code: opcode.jumpIfImmediate, to: register.scratch, immediate: 0, target },
  ]
}

function ifNumbers({ major, minor }: FilterRule, target: string): Instruction {
  const code = opcode.jumpIfImmediate
  if (minor === undefined) return { code, to: register.major, immediate: major ?? 0, target }
  if (major === undefined) return { code, to: register.minor, immediate: minor, target }
  return { code, to: register.device, immediate: (major << minorBits) | minor, target }
}

/** Resolves labels to jump offsets and encodes the instructions. */
function assemble(lines: readonly Line[]): Uint8Array {
  const labels = new Map<string, number>()
  const program: Instruction[] = []
  for (const line of lines) {
    if (typeof line === 'string') labels.set(line, program.length)
    else program.push(line)
  }
  return encode(
    program.map(({ target, ...instruction }, index) =>
      target === undefined ? instruction : { ...instruction, offset: (labels.get(target) ?? 0) - index - 1 },
    ),
  )
}

/** struct bpf_insn: opcode, two registers in a byte, a jump or load offset, a constant. */
function encode(program: readonly Instruction[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(program.length * instructionBytes))
  program.forEach(({ code, to = 0, from = 0, offset = 0, immediate = 0 }, index) => {
    const at = index * instructionBytes
    view.setUint8(at, code)
    view.setUint8(at + 1, to | (from << 4))
    view.setInt16(at + 2, offset, true)
    view.setInt32(at + 4, immediate, true)
  })
  return new Uint8Array(view.buffer)
}
