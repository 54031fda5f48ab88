import { OciError } from '../../errors.ts'
import type { CPU, Memory, Rdma, Resources } from '../../oci/runtime-config.ts'
import { collect, type Limit, nonZero, orMax, pointerOf } from './limit.ts'

/** Checks memory limits. @throws OciError `ERR_CONFIG_INVALID` a negative number other than -1, which means unlimited */
export function checkMemory(memory: Memory): void {
  for (const field of ['limit', 'reservation', 'swap'] as const) {
    const value = memory[field]
    if (value === undefined || value >= -1) continue
    throw new OciError('ERR_CONFIG_INVALID', `invalid memory.${field}: ${value}`, {
      pointer: pointerOf(`memory/${field}`),
      hint: 'use -1 for no limit',
    })
  }
}

export function pidsLimits({ limit }: NonNullable<Resources['pids']>): readonly Limit[] {
  const { limits, add } = collect()
  add('pids', 'pids.max', limit === undefined ? undefined : orMax(nonZero(limit) ?? 1), 'pids/limit')
  return limits
}

export function cpusetLimits({ cpus, mems }: CPU): readonly Limit[] {
  const { limits, add } = collect()
  add('cpuset', 'cpuset.cpus', cpus || undefined, 'cpu/cpus')
  add('cpuset', 'cpuset.mems', mems || undefined, 'cpu/mems')
  return limits
}

/**
 * Limits of huge pages: on usage, and since Linux 5.7 on reservations. Without the latter, a reservation above the limit
 * succeeds and the process gets SIGBUS when it uses the pages.
 *
 * @param suffix the end of the file names in this version of cgroups
 * @see kernel cgroup-v1/hugetlb.rst
 */
export function hugepageLimits(
  pages: NonNullable<Resources['hugepageLimits']>,
  suffix: 'limit_in_bytes' | 'max',
): readonly Limit[] {
  return pages.flatMap(({ pageSize, limit }, index) => {
    const from = [pointerOf(`hugepageLimits/${index}`)] as const
    const shared = { controller: 'hugetlb', value: String(limit), from }
    return [
      { ...shared, file: `hugetlb.${pageSize}.${suffix}` },
      { ...shared, file: `hugetlb.${pageSize}.rsvd.${suffix}`, optional: true },
    ]
  })
}

/** Limits of RDMA devices, in the format of both cgroup versions. @see kernel cgroup-v1/rdma.rst */
export function rdmaLimits(devices: Readonly<Record<string, Rdma>>): readonly Limit[] {
  const { limits, add } = collect()
  for (const [device, { hcaHandles = 'max', hcaObjects = 'max' }] of Object.entries(devices)) {
    add('rdma', 'rdma.max', `${device} hca_handle=${hcaHandles} hca_object=${hcaObjects}`, `rdma/${device}`)
  }
  return limits
}
