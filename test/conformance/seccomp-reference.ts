import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { verdictOf } from '../../src/compile/seccomp/actions.ts'
import type { Seccomp, SeccompOperator } from '../../src/oci/runtime-config.ts'
import { runFilter, type SeccompData } from '../compile/seccomp/interpreter.ts'

/** The result of libseccomp for a profile. */
export type Reference =
  | { readonly kind: 'conflict' }
  | {
      readonly kind: 'filter'
      readonly filter: Uint8Array
      /** Names that the installed libseccomp is too old for. */
      readonly unknown: ReadonlySet<string>
      /** The largest number that the profile names, by `AUDIT_ARCH` and bit 30. */
      readonly largest: ReadonlyMap<string, number>
      /** `<architecture's token> <name>` to the number; negative where there is none. */
      readonly numbers: ReadonlyMap<string, number>
    }

/** `enum scmp_compare` of seccomp.h. */
const operators: Readonly<Record<SeccompOperator, number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
}

const x32Bit = 0x40000000
/** libseccomp's own number for x32, which has the `AUDIT_ARCH` of x86_64. */
export const x32Token: number = 0x4000003e
const x86Audit = 0xc000003e

/** Compiles the program beside this file; `dispose` removes it. */
export function buildReference(): { readonly of: (profile: Seccomp) => Reference; readonly dispose: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'seccomp-reference-'))
  const program = join(directory, 'seccomp-reference')
  const source = join(import.meta.dirname, 'seccomp-reference.c')
  execFileSync('gcc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', program, source, '-lseccomp'])
  return {
    of(profile) {
      const { stdout, stderr, status } = spawnSync(program, { input: toLines(profile), encoding: 'utf8' })
      if (status !== 0) throw new Error(`the reference failed: ${stderr}`)
      return parseReference(stdout)
    },
    dispose: () => rmSync(directory, { recursive: true }),
  }
}

/**
 * The answer of the filter that runc would load: libseccomp's, behind runc's own answer to calls that are newer than the
 * profile.
 */
export function referenceOutcome(profile: Seccomp, reference: Reference & { kind: 'filter' }, data: SeccompData) {
  const isPermissive = ['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE'].includes(profile.defaultAction)
  const bit = data.arch === x86Audit ? data.nr & x32Bit : 0
  const largest = reference.largest.get(`${data.arch} ${bit}`) ?? 0
  if (!isPermissive && largest !== 0 && data.nr > largest) return { verdict: 0x50026, steps: 0 }
  return runFilter(reference.filter, data)
}

/** runc's loop over a profile: what equals the default is left out, and conditions on one argument are alternatives. */
function toLines(profile: Seccomp): string {
  const defaultVerdict = verdictOf(profile.defaultAction, profile.defaultErrnoRet)
  const lines = [`default ${defaultVerdict}`]
  for (const arch of profile.architectures ?? []) lines.push(`arch ${arch.replace('SCMP_ARCH_', '').toLowerCase()}`)
  for (const { names, action, errnoRet, args = [] } of profile.syscalls ?? []) {
    const verdict = verdictOf(action, errnoRet)
    const conditions = args.map((arg) => `${arg.index} ${operators[arg.op]} ${arg.value} ${arg.valueTwo ?? 0}`)
    const isRepeated = args.some(({ index }, place) => args.findIndex((other) => other.index === index) !== place)
    for (const name of names) {
      if (verdict === defaultVerdict) lines.push(`name ${name}`)
      else if (isRepeated) lines.push(...conditions.map((condition) => `rule ${verdict} ${name} ${condition}`))
      else lines.push(`rule ${verdict} ${name} ${conditions.join(' ')}`)
    }
  }
  return `${lines.join('\n')}\n`
}

function parseReference(output: string): Reference {
  const unknown = new Set<string>()
  const largest = new Map<string, number>()
  const numbers = new Map<string, number>()
  for (const line of output.split('\n')) {
    const [word, first = '', second, third = ''] = line.split(' ')
    if (word === 'conflict') return { kind: 'conflict' }
    if (word === 'unknown') unknown.add(first)
    if (word === 'filter') return { kind: 'filter', filter: Buffer.from(first, 'hex'), unknown, largest, numbers }
    if (word !== 'number') continue
    numbers.set(`${first} ${second}`, Number(third))
    const key = Number(first) === x32Token ? `${x86Audit} ${x32Bit}` : `${first} 0`
    largest.set(key, Math.max(largest.get(key) ?? 0, Number(third)))
  }
  throw new Error('the reference printed no filter')
}
