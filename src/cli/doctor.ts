import type { Command } from 'commander'
import { printable } from '../text.ts'
import type { Finding } from '../verbs/container/doctor.ts'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { type StoreFlags, withStoreOption } from './store-option.ts'

const marks = { works: 'works', missing: '-', failed: 'FAILED' } as const

/** `doctor`: what works on this host. */
export function doctorCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'doctor',
    usage: '[command options]',
    description: `Looks at the kernel, at your rights and at the programs that some commands need, and
prints for each what there is, and the command that changes it. Changes nothing.
Fails where something is missing that plain use needs.

EXAMPLES:
    bundle-tool doctor
    bundle-tool doctor --json`,
  })
  const json = 'a JSON array with "name", "status", "says" and "fix" of each'
  return withFormat(withStoreOption(command), { plain: 'text', json }).action(async ({ store }: StoreFlags) => {
    const { doctor } = await import('../verbs/container/doctor.ts')
    const { env } = context.io
    const findings = await doctor({ store, root: context.globals().root, env })
    context.print(findings, format)
    if (findings.some(({ status }) => status === 'failed')) context.exit(1)
  })
}

function format(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length))
  return findings.map((finding) => lines(finding, width)).join('')
}

function lines({ name, status, says, fix }: Finding, width: number): string {
  const first = `${name.padEnd(width)}  ${marks[status].padEnd(6)}  ${printable(says)}\n`
  return fix === undefined ? first : `${first}${' '.repeat(width + 10)}change it: ${printable(fix)}\n`
}
