import { readdirSync } from 'node:fs'
import { isSystemError } from '../../errors.ts'
import { omitEmpty, readInteger, readPairs } from './stat-files.ts'
import type { HugePageUsage } from './stats.ts'

/** The names of one cgroup version's files, after `hugetlb.2MB.`. */
interface HugePageFiles {
  readonly usage: string
  readonly max: string
  readonly failures: string
}

/**
 * Usage of huge pages by page size: of reserved ones, which include those in use, where the kernel counts them (5.7).
 */
export function hugePageStats(
  directory: string | undefined,
  { usage, max, failures }: HugePageFiles,
): Readonly<Record<string, HugePageUsage>> {
  const files = directory === undefined ? [] : listFiles(directory)
  const sizes = files.flatMap((file) => /^hugetlb\.(\d+[KMGT]B)\.(?:current|usage_in_bytes)$/.exec(file)?.[1] ?? [])
  return Object.fromEntries(
    sizes.sort().map((size) => {
      const reserved = `hugetlb.${size}.rsvd`
      const prefix = files.includes(`${reserved}.${usage}`) ? reserved : `hugetlb.${size}`
      const failcnt =
        failures === 'events'
          ? readPairs(directory, `hugetlb.${size}.events`).max
          : readInteger(directory, `${prefix}.${failures}`)
      const amounts = omitEmpty({
        usage: readInteger(directory, `${prefix}.${usage}`),
        max: readInteger(directory, `${prefix}.${max}`),
      })
      return [size, { ...amounts, failcnt: failcnt ?? 0 }]
    }),
  )
}

function listFiles(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return []
    throw error
  }
}
