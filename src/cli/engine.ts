import type { Command } from 'commander'
import { OciError } from '../errors.ts'
import type { EngineResult } from '../verbs/container/engine.ts'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'

interface EngineFlags {
  readonly write?: boolean
  readonly remove?: boolean
  readonly default?: boolean
  readonly file?: string
  readonly runtime?: string
}

/** `engine`: this runtime in the configuration of a container engine. */
export function engineCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'engine',
    usage: '[command options] docker|containerd|podman|crio',
    description: `Prints what an engine's configuration needs so that it knows this runtime as
"bundle-tool": for Docker, containerd (and Kubernetes through it), Podman (and
Buildah), CRI-O. With --write it is written there, what is there stays, and the
command that makes the engine read it is named; --remove undoes it.

EXAMPLES:
    bundle-tool engine docker
    sudo bundle-tool engine docker --write && sudo systemctl reload docker
    sudo bundle-tool engine containerd --write --default
    sudo bundle-tool engine docker --remove`,
  })
  const json = 'a JSON object with "engine", "file", "done", "text" and "restart"'
  return withFormat(command, { plain: 'text', json })
    .argument('<engine>')
    .option('--write', 'write it into the configuration')
    .option('--remove', 'remove it from the configuration')
    .option('--default', 'make it the runtime of containers that name none')
    .option('--file <file>', 'the configuration file (default: the one that the engine reads)')
    .option('--runtime <file>', 'the binary that the engine is to call (default: this one)')
    .action(async (name: string, { write, remove, default: asDefault, file, runtime }: EngineFlags) => {
      if (write && remove) throw new OciError('ERR_USAGE', '--write and --remove contradict each other')
      const { engine } = await import('../verbs/container/engine.ts')
      const action = write ? 'write' : remove ? 'remove' : undefined
      const result = await engine(name, { action, asDefault, file, runtime, env: context.io.env })
      context.print(result, ({ done, text }) => (done === 'shown' ? text : ''))
      if (!context.isJson()) context.io.stderr.write(`${said(result)}\n`)
    })
}

/** Says what was done, and what is to be done next. */
function said({ done, file, restart }: EngineResult): string {
  const next = restart === null ? '' : `, then: ${restart}`
  if (done === 'shown') return `for ${file}${next}`
  if (done === 'unchanged') return `${file}: nothing to do`
  return `${file}: ${done}${next}`
}
