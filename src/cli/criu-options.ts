import { type Command, InvalidArgumentError } from 'commander'
import { OciError } from '../errors.ts'
import type { CriuOptions } from '../verbs/container/checkpoint.ts'
import type { CommandContext } from './context.ts'

/** The flags that `checkpoint` and `restore` share. */
export interface CriuFlags extends CriuOptions {
  readonly imagePath?: string
  readonly workPath?: string
  readonly emptyNs: readonly string[]
}

/** Gives a command the flags that `checkpoint` and `restore` share. */
export function withCriuOptions(command: Command): Command {
  return command
    .option('--image-path <directory>', 'where the images are (default: checkpoint)')
    .option('--work-path <directory>', 'where CRIU keeps its logs (default: with the images)')
    .option('--tcp-established', 'allow open TCP connections')
    .option('--ext-unix-sk', 'allow unix sockets that lead out of the container')
    .option('--shell-job', 'allow processes of a shell on a terminal of the host')
    .option('--file-locks', 'keep file locks')
    .option('--lazy-pages', 'move memory on demand, by userfaultfd(2)')
    .option('--auto-dedup', 'drop pages from images when they are not needed any more')
    .option('--manage-cgroups-mode <mode>', "what to do with cgroups: soft, full, strict or ignore (default: CRIU's)")
    .option('--empty-ns <type>', 'a namespace to leave empty: network; may be repeated', appendNamespace, [])
}

export function criuOptions(flags: CriuFlags): Omit<CriuFlags, 'emptyNs'> {
  const { emptyNs: _, ...rest } = flags
  return rest
}

/** The network is always left as it is: its devices are not the runtime's. */
function appendNamespace(type: string, types: readonly string[]): readonly string[] {
  if (type === 'network') return [...types, type]
  throw new OciError('ERR_USAGE', `namespace "${type}" is not supported`, { hint: 'use --empty-ns network' })
}

export function warnRootless({ io, log }: CommandContext): void {
  if (io.euid !== 0) log('warning', 'checkpoint and restore are untested without root')
}

/** `ADDRESS:PORT`, the address of IPv6 in brackets. */
export function parsePageServer(text: string): { readonly address: string; readonly port: number } {
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  const address = bracketed ?? plain
  if (address === undefined || Number(port) > 65535) throw new InvalidArgumentError('it must be ADDRESS:PORT')
  return { address, port: Number(port) }
}
