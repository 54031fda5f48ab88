/** One device rule as both cgroup versions need it; undefined numbers match any. */
export interface DeviceRule {
  readonly allow: boolean
  readonly type: 'a' | 'b' | 'c'
  readonly major: number | undefined
  readonly minor: number | undefined
  /** Of `r`, `w`, `m`. */
  readonly access: string
}

const types = { b: 1, c: 2 } as const // BPF_DEVCG_DEV_*
const accesses = { m: 1, r: 2, w: 4 } as const // BPF_DEVCG_ACC_*
const everyAccess = 7

/** Registers of the filter: what was asked for, and scratch. */
const register = { result: 0, context: 1, type: 2, access: 3, major: 4, minor: 5, scratch: 6 } as const

/** Opcodes of eBPF as linux/bpf.h composes them; the operations are on 32 bits. */
const opcode = {
  load32: 0x61, // LDX | MEM | W
  setImmediate: 0xb4, // ALU | MOV | K
  setRegister: 0xbc, // ALU | MOV | X
  and: 0x54, // ALU | AND | K
  shiftRight: 0x74, // ALU | RSH | K
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
}

const instructionBytes = 8

/**
 * The BPF_PROG_TYPE_CGROUP_DEVICE program of a list of rules. The last rule that matches decides; with none, no access.
 *
 * An allowing rule matches when it has all of the access asked for, a denying one when it has any of it.
 * @see linux/bpf.h struct bpf_cgroup_dev_ctx: access in the upper and type in the lower half of a word, major, minor
 */
export function deviceFilter(rules: readonly DeviceRule[]): Uint8Array {
  const program: readonly Instruction[] = [
    { code: opcode.load32, to: register.type, from: register.context, offset: 0 },
    { code: opcode.setRegister, to: register.access, from: register.type },
    { code: opcode.and, to: register.type, immediate: 0xffff },
    { code: opcode.shiftRight, to: register.access, immediate: 16 },
    { code: opcode.load32, to: register.major, from: register.context, offset: 4 },
    { code: opcode.load32, to: register.minor, from: register.context, offset: 8 },
    ...reachable(rules.toReversed()).flatMap(compileRule),
    { code: opcode.setImmediate, to: register.result, immediate: 0 },
    { code: opcode.exit },
  ]
  return encode(program)
}

/** What follows a rule that matches everything is never run, and the kernel's verifier refuses dead code. */
function reachable(rules: readonly DeviceRule[]): readonly DeviceRule[] {
  const last = rules.findIndex((rule) => conditions(rule).length === 0)
  if (last < 0) return rules
  return rules[last]?.allow ? rules.slice(0, last + 1) : rules.slice(0, last)
}

function compileRule(rule: DeviceRule): readonly Instruction[] {
  const body = [
    ...conditions(rule),
    { code: opcode.setImmediate, to: register.result, immediate: rule.allow ? 1 : 0 },
    { code: opcode.exit },
  ]
  return body.map((instruction, index) =>
    'jumps' in instruction ? { ...instruction, offset: body.length - index - 1 } : instruction,
  )
}

type Condition = Instruction & { readonly jumps?: true }

/** Jumps behind the rule unless it matches. */
function conditions(rule: DeviceRule): readonly Condition[] {
  const access = [...rule.access].reduce((mask, letter) => mask | (accesses[letter as keyof typeof accesses] ?? 0), 0)
  const jump = (code: number, to: number, immediate: number): Condition => ({ code, to, immediate, jumps: true })
  return [
    ...(rule.type === 'a' ? [] : [jump(opcode.jumpIfNotImmediate, register.type, types[rule.type])]),
    ...(access === everyAccess
      ? []
      : [
          { code: opcode.setRegister, to: register.scratch, from: register.access },
          { code: opcode.and, to: register.scratch, immediate: access },
          rule.allow
            ? { code: opcode.jumpIfNotRegister, to: register.scratch, from: register.access, jumps: true as const }
            : jump(opcode.jumpIfImmediate, register.scratch, 0),
        ]),
    ...(rule.major === undefined ? [] : [jump(opcode.jumpIfNotImmediate, register.major, rule.major)]),
    ...(rule.minor === undefined ? [] : [jump(opcode.jumpIfNotImmediate, register.minor, rule.minor)]),
  ]
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
