import { type Command, InvalidArgumentError } from 'commander'
import type { PullOptions } from '../verbs/image/pull.ts'
import type { UnpackOptions } from '../verbs/image/unpack.ts'
import type { CommandContext } from './context.ts'
import { withFormat } from './format.ts'
import { showProgress } from './progress.ts'

/** The flags that `pull` and `unpack` share. */
export interface BundleFlags {
  readonly out: string
  readonly platform?: string
  readonly force?: boolean
  readonly subids?: boolean
  readonly quiet?: boolean
  readonly policy?: string
  readonly maxUnpackedSize?: number
  readonly maxFiles?: number
  readonly maxRatio?: number
  readonly strictOverlay?: boolean
  readonly keepDirlinks?: boolean
}

/** Gives a command the flags that `pull` and `unpack` share. */
export function withBundleOptions(command: Command): Command {
  const formatted = withFormat(command, { plain: 'text', json: 'a JSON object about what was made, and no progress' })
  return formatted
    .requiredOption('-o, --out <bundle>', 'the directory to make', parseOut)
    .option('--platform <os/arch>', 'which image of several, as os/arch or os/arch/variant (default: for this host)')
    .option('-f, --force', 'replace the bundle if there is one')
    .option('--subids', 'without root: real owners, by your ids in /etc/subuid and /etc/subgid')
    .option('--policy <file>', "which images may be used (default: containers' policy.json)")
    .option('-q, --quiet', 'do not show how it is coming on')
    .option('--max-unpacked-size <size>', 'give up when the files of the layers take more, e.g. 20G', parseSize)
    .option('--max-files <count>', 'give up when there are more files (default: 2000000)', parseCount)
    .option('--max-ratio <ratio>', 'give up when a layer over 1 GiB is compressed better (default: 250)', parseCount)
    .option('--strict-overlay', 'hide links of lower layers under the directories of upper ones, as overlay mounts do')
    .option('--keep-dirlinks', 'let the directories of upper layers merge with links to directories in lower ones')
}

/** Other tools' `-` for standard output makes no bundle; a directory of that name is `./-`. */
function parseOut(path: string): string {
  if (path !== '-') return path
  throw new InvalidArgumentError('a bundle is a directory; "bundle-tool export IMAGE -o -" writes an archive')
}

/** The options of `pull` and `unpack` that the flags stand for. */
export function bundleOptions(flags: BundleFlags): UnpackOptions {
  const { out, platform, force, subids, policy } = flags
  const { maxUnpackedSize, maxFiles, maxRatio, strictOverlay, keepDirlinks } = flags
  return {
    out,
    platform,
    force,
    subids,
    policy,
    limits: { maxUnpackedSize, maxFiles, maxRatio },
    strictOverlay,
    keepDirlinks,
  }
}

/**
 * Runs the whole command once more where the ids that it is to give are, unless it is there; false if it is to go on here.
 *
 * @throws OciError `ERR_USAGE` for root, whose owners are real anyway; `ERR_PERMISSION`
 */
export async function isDoneInNamespace(context: CommandContext, { subids }: BundleFlags): Promise<boolean> {
  if (!subids) return false
  const { repeatWithSubids } = await import('../verbs/container/unshare.ts')
  const status = await repeatWithSubids(context.args, context.io)
  if (status !== undefined) context.exit(status)
  return status !== undefined
}

/**
 * Runs the whole command once more with the caller's subordinate ids, if there are some and the store has unpacked trees, whose
 * files may belong to these; false if it is to go on here.
 */
export async function isDoneWithTrees({ args, io, exit }: CommandContext, store: string | undefined): Promise<boolean> {
  if (io.euid === 0) return false
  const { hasSubids, repeatWithSubids } = await import('../verbs/container/unshare.ts')
  const { hasUnpackedTrees } = await import('../verbs/image/prune.ts')
  if (!hasUnpackedTrees({ store, env: io.env }) || !hasSubids()) return false
  const status = await repeatWithSubids(args, io)
  if (status !== undefined) exit(status)
  return status !== undefined
}

/** Shows how the layers are coming on while `work` makes the bundle, which Ctrl-C ends cleanly. */
export async function withProgress<T>(
  { io, isJson }: CommandContext,
  { quiet }: Pick<BundleFlags, 'quiet'>,
  work: (reports: BundleReports) => Promise<T>,
): Promise<T> {
  const progress = showProgress({ output: io.stderr, isQuiet: quiet || isJson() })
  try {
    return await work({
      signal: io.interruption(),
      onLayerRead: (read) => progress.update({ kind: 'read', ...read }),
      onLayer: (applied) => progress.update({ kind: 'applied', ...applied }),
      onProgress: ({ layer, bytes }) =>
        progress.update({ kind: 'fetched', name: layer.digest, bytes, size: layer.size }),
    })
  } finally {
    progress.end()
  }
}

type BundleReports = Required<Pick<PullOptions, 'signal' | 'onLayerRead' | 'onLayer' | 'onProgress'>>

const unitBytes: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 }

/** A number of bytes, or of KiB, MiB, GiB or TiB with a letter after it. */
export function parseSize(text: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(text) ?? []
  const bytes = Math.floor(Number(digits) * (unitBytes[unit.toUpperCase()] ?? Number.NaN))
  if (Number.isSafeInteger(bytes)) return bytes
  throw new InvalidArgumentError('it must be a number of bytes, or with K, M, G or T after it of as many KiB ... TiB')
}

function parseCount(text: string): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(count)) return count
  throw new InvalidArgumentError('it must be a whole number')
}
