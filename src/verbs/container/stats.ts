import { totalmem } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { OciError } from '../../errors.ts'
import type { Integer } from '../../oci/json.ts'
import { untilAborted } from '../../runtime/abort.ts'
import { readCgroupStats } from '../../runtime/cgroup/read-stats.ts'
import type { BlockIOEntry, CgroupStats } from '../../runtime/cgroup/stats.ts'
import {
  type ContainerRecord,
  type ContainerStatus,
  hasProcesses,
  readContainer,
  readStatus,
} from '../../runtime/state-file.ts'
import { absoluteRoot } from '../../state-root.ts'
import { list } from './list.ts'

/** The use of resources of one container; amounts are in bytes. */
export interface ContainerUsage {
  readonly id: string
  readonly status: ContainerStatus
  /** Percent of one CPU since the sample before: 150 is one and a half. */
  readonly cpuPercent: number
  /** Without the file cache that the kernel could take back. */
  readonly memory: number
  /** The container's limit, or the machine's memory where that is less. */
  readonly memoryLimit: number
  readonly pids: number
  readonly blockRead: number
  readonly blockWrite: number
}

export interface StatsOptions {
  /** Where containers' states are kept; default: `defaultRoot` of this process. */
  readonly root?: string | undefined
  /** The containers; all that run when none is named. */
  readonly ids?: readonly string[] | undefined
  /** Between two samples. */
  readonly intervalMs: number
  /** Ends the wait for the next one. */
  readonly signal?: AbortSignal | undefined
}

interface Sample {
  readonly container: ContainerRecord
  readonly status: ContainerStatus
  readonly stats: CgroupStats
  readonly atNs: bigint
}

/**
 * Reports the use of resources of containers: a list after every interval. A container that is started meanwhile is in the
 * next one.
 *
 * @throws OciError `ERR_CONTAINER_NOT_FOUND` one that is named does not exist
 */
export async function* stats(options: StatsOptions): AsyncGenerator<readonly ContainerUsage[]> {
  let before = await takeSamples(options)
  for (;;) {
    await untilAborted(options.signal, () => sleep(options.intervalMs, undefined, { signal: options.signal }))
    const now = await takeSamples(options)
    yield [...now.values()].map((sample) => usageOf(sample, before.get(sample.container.id)))
    before = now
  }
}

async function takeSamples({ root, ids = [] }: StatsOptions): Promise<ReadonlyMap<string, Sample>> {
  const directory = absoluteRoot(root)
  const wanted = ids.length > 0 ? ids : (await list({ root })).map(({ id }) => id)
  const samples = new Map<string, Sample>()
  for (const id of wanted) {
    const container = ids.length > 0 ? readContainer(directory, id) : readIfThere(directory, id)
    if (container === undefined) continue
    const status = await readStatus(container)
    if (!hasProcesses(status) && ids.length === 0) continue
    const stats = readCgroupStats(container.cgroupPaths)
    samples.set(id, { container, status, stats, atNs: process.hrtime.bigint() })
  }
  return samples
}

/** Undefined for a container that has been deleted since it was listed. */
function readIfThere(root: string, id: string): ContainerRecord | undefined {
  try {
    return readContainer(root, id)
  } catch (error) {
    if (error instanceof OciError && error.code === 'ERR_CONTAINER_NOT_FOUND') return undefined
    throw error
  }
}

function usageOf({ container, status, stats, atNs }: Sample, before: Sample | undefined): ContainerUsage {
  const { memory, pids, blkio, cpu } = stats
  const spent = before && Number(cpu.usage.total ?? 0) - Number(before.stats.cpu.usage.total ?? 0)
  const passed = before === undefined ? 0 : Number(atNs - before.atNs)
  const cache = Number(memory.raw?.total_inactive_file ?? memory.raw?.inactive_file ?? 0)
  return {
    id: container.id,
    status,
    cpuPercent: spent === undefined || passed === 0 ? 0 : (Math.max(0, spent) / passed) * 100,
    memory: Math.max(0, Number(memory.usage.usage ?? 0) - cache),
    memoryLimit: smaller(memory.usage.limit, totalmem()),
    pids: Number(pids.current ?? 0),
    blockRead: total(blkio.ioServiceBytesRecursive, 'Read'),
    blockWrite: total(blkio.ioServiceBytesRecursive, 'Write'),
  }
}

const smaller = (limit: Integer, memory: number): number => (limit > 0 && limit < memory ? Number(limit) : memory)

const total = (entries: readonly BlockIOEntry[] = [], operation: string): number =>
  entries.filter(({ op }) => op === operation).reduce((all, { value = 0 }) => all + Number(value), 0)
