import { readFileSync } from 'node:fs'
import { type Command, InvalidArgumentError } from 'commander'
import { isSystemError, OciError } from '../errors.ts'
import { exactText } from '../text.ts'
import type { Resources } from '../verbs/container/update.ts'
import { type CommandContext, newCommand } from './context.ts'
import { rootOf } from './globals.ts'

interface UpdateFlags {
  readonly resources?: string
  readonly blkioWeight?: bigint
  readonly cpuPeriod?: bigint
  readonly cpuQuota?: bigint
  readonly cpuBurst?: bigint
  readonly cpuShare?: bigint
  readonly cpuRtPeriod?: bigint
  readonly cpuRtRuntime?: bigint
  readonly cpuIdle?: bigint
  readonly cpusetCpus?: string
  readonly cpusetMems?: string
  readonly memory?: bigint
  readonly memoryReservation?: bigint
  readonly memorySwap?: bigint
  readonly pidsLimit?: bigint
  readonly kernelMemory?: string
  readonly kernelMemoryTcp?: string
  readonly l3CacheSchema?: string
  readonly memBwSchema?: string
}

/** `update`: other limits for a container that runs. */
export function updateCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'update',
    usage: '[command options] <container-id>',
    description: `Changes what a container may use, all that is asked for or nothing. With
--resources, a document like linux.resources of config.json, other flags are
ignored.

EXAMPLES:
    bundle-tool update --memory 512M --pids-limit 100 demo
    echo '{"cpu": {"quota": 50000}}' | bundle-tool update -r - demo`,
  })
  return withLimitOptions(command).action(async (id: string, flags: UpdateFlags) => {
    const { parseResources, update } = await import('../verbs/container/update.ts')
    const warn = (message: string): void => context.log('warning', message)
    const resources =
      flags.resources === undefined
        ? resourcesOf(flags, warn)
        : parseResources(await readDocument(flags.resources, context), `resources of "${flags.resources}"`, warn)
    const { l3CacheSchema, memBwSchema } = flags
    const intelRdt = flags.resources === undefined ? { l3CacheSchema, memBwSchema } : undefined
    await update({ root: rootOf(context), id, resources, intelRdt, warn })
  })
}

function withLimitOptions(command: Command): Command {
  return command
    .argument('<container-id>')
    .option('-r, --resources <file>', 'read the limits from this JSON file; "-" is standard input')
    .option('--blkio-weight <weight>', 'share of block I/O, 10 to 1000', parseInteger)
    .option('--cpu-period <us>', 'length of a period that --cpu-quota is for, in microseconds', parseInteger)
    .option('--cpu-quota <us>', 'CPU time in each period, in microseconds; -1: no limit', parseInteger)
    .option('--cpu-burst <us>', 'unused CPU time that may be saved for later, in microseconds', parseInteger)
    .option('--cpu-share <weight>', 'share of CPU time, 2 to 262144 (1024 is common)', parseInteger)
    .option('--cpu-rt-period <us>', 'the same as --cpu-period for real-time processes', parseInteger)
    .option('--cpu-rt-runtime <us>', 'the same as --cpu-quota for real-time processes', parseInteger)
    .option('--cpu-idle <0-or-1>', '1: use only CPU time that nobody else wants', parseInteger)
    .option('--cpuset-cpus <list>', 'CPUs to use, as in 0-2,5')
    .option('--cpuset-mems <list>', 'memory nodes to use, as in 0-1')
    .option('--memory <bytes>', 'memory limit, as in 512M; -1: none', parseBytes)
    .option('--memory-reservation <bytes>', 'memory that is left to the container when it is scarce', parseBytes)
    .option('--memory-swap <bytes>', 'limit of memory and swap together; -1: none', parseBytes)
    .option('--pids-limit <count>', 'how many processes and threads it may have; -1: no limit', parseInteger)
    .option('--kernel-memory <bytes>', 'obsolete, and ignored')
    .option('--kernel-memory-tcp <bytes>', 'obsolete, and ignored')
    .option('--l3-cache-schema <schema>', 'cache allocation of Intel RDT, as in L3:0=f;1=f')
    .option('--mem-bw-schema <schema>', 'memory bandwidth of Intel RDT, as in MB:0=50;1=50')
}

function resourcesOf(flags: UpdateFlags, warn: (message: string) => void): Resources {
  if (flags.kernelMemory || flags.kernelMemoryTcp) warn('limits of kernel memory are obsolete: ignored')
  return {
    memory: { limit: flags.memory, reservation: flags.memoryReservation, swap: flags.memorySwap },
    cpu: {
      shares: flags.cpuShare,
      quota: flags.cpuQuota,
      burst: flags.cpuBurst,
      period: flags.cpuPeriod,
      realtimeRuntime: flags.cpuRtRuntime,
      realtimePeriod: flags.cpuRtPeriod,
      cpus: flags.cpusetCpus,
      mems: flags.cpusetMems,
      idle: flags.cpuIdle,
    },
    ...(flags.pidsLimit === undefined ? {} : { pids: { limit: flags.pidsLimit } }),
    ...(flags.blkioWeight === undefined ? {} : { blockIO: { weight: Number(flags.blkioWeight) } }),
  }
}

async function readDocument(file: string, { io }: CommandContext): Promise<string> {
  if (file === '-') {
    const chunks: Uint8Array[] = []
    for await (const chunk of io.stdin) chunks.push(chunk)
    return exactText(Buffer.concat(chunks))
  }
  try {
    return exactText(readFileSync(file))
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    throw new OciError('ERR_USAGE', `the resources "${file}" cannot be read: ${cause.code}`, { cause })
  }
}

function parseInteger(text: string): bigint {
  if (/^-?\d{1,20}$/.test(text)) return BigInt(text)
  throw new InvalidArgumentError('it must be an integer')
}

const units = 'bkmgtp'

/** `512`, `512M`, `1.5g`, `100KiB`: powers of 1024, whatever the unit is called. */
export function parseBytes(text: string): bigint {
  if (text === '-1') return -1n
  const [, number, unit = 'b'] = /^(\d+(?:\.\d+)?) ?([bkmgtp])?(?:i?b)?$/i.exec(text) ?? []
  if (number === undefined) throw new InvalidArgumentError('it must be a size such as 512M, or -1')
  const factor = 1024 ** units.indexOf(unit.toLowerCase())
  return number.includes('.') ? BigInt(Math.floor(Number(number) * factor)) : BigInt(number) * BigInt(factor)
}
