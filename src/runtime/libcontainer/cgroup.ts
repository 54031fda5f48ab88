import { sharesToWeight } from '../../compile/cgroup/limits-v2.ts'
import type { BlockIO, CPU, Memory, Resources, RuntimeConfig, ThrottleDevice } from '../../oci/runtime-config.ts'
import { type JsonValue, plainJson } from '../json-text.ts'
import { libcontainerDeviceRules } from './devices.ts'

/** The members of `cgroups` that limit resources. @see runc libcontainer/configs/cgroup_linux.go */
export function libcontainerResources(config: RuntimeConfig): Record<string, JsonValue | undefined> {
  return { devices: plainJson(libcontainerDeviceRules(config)), ...libcontainerLimits(config.linux?.resources ?? {}) }
}

/** The members of `cgroups` that limit resources other than devices; unset ones are left out. */
export function libcontainerLimits(resources: Resources): Record<string, JsonValue | undefined> {
  return {
    ...(resources.memory && memory(resources.memory)),
    ...(resources.cpu && cpu(resources.cpu)),
    ...(resources.blockIO && blockIO(resources.blockIO)),
    pids_limit: resources.pids?.limit,
    hugetlb_limit: resources.hugepageLimits?.map(({ pageSize, limit }) => ({ page_size: pageSize, limit })),
    net_cls_classid_u: resources.network?.classID,
    net_prio_ifpriomap: resources.network?.priorities?.map(({ name, priority }) => ({ interface: name, priority })),
    rdma:
      resources.rdma &&
      Object.fromEntries(
        Object.entries(resources.rdma).map(([name, { hcaHandles, hcaObjects }]) => [
          name,
          { hca_handles: hcaHandles, hca_objects: hcaObjects },
        ]),
      ),
    unified: resources.unified,
  }
}

const memory = (limits: Memory): Record<string, JsonValue | undefined> => ({
  memory: limits.limit,
  memory_reservation: limits.reservation,
  memory_swap: limits.swap,
  memory_swappiness: limits.swappiness,
  oom_kill_disable: limits.disableOOMKiller,
  memory_check_before_update: limits.checkBeforeUpdate,
})

const cpu = (limits: CPU): Record<string, JsonValue | undefined> => ({
  cpu_shares: limits.shares,
  cpu_weight: limits.shares ? sharesToWeight(Number(limits.shares)) : undefined,
  cpu_quota: limits.quota,
  cpu_burst: limits.burst,
  cpu_period: limits.period,
  cpu_rt_quota: limits.realtimeRuntime,
  cpu_rt_period: limits.realtimePeriod,
  cpuset_cpus: limits.cpus,
  cpuset_mems: limits.mems,
  cpu_idle: limits.idle,
})

function blockIO(limits: BlockIO): Record<string, JsonValue | undefined> {
  const throttle = (devices: readonly ThrottleDevice[] | undefined): JsonValue | undefined =>
    devices?.map(({ major, minor, rate }) => ({ major, minor, rate }))
  return {
    blkio_weight: limits.weight,
    blkio_leaf_weight: limits.leafWeight,
    blkio_weight_device: limits.weightDevice?.map(({ major, minor, weight, leafWeight }) => ({
      major,
      minor,
      weight,
      leafWeight,
    })),
    blkio_throttle_read_bps_device: throttle(limits.throttleReadBpsDevice),
    blkio_throttle_write_bps_device: throttle(limits.throttleWriteBpsDevice),
    blkio_throttle_read_iops_device: throttle(limits.throttleReadIOPSDevice),
    blkio_throttle_write_iops_device: throttle(limits.throttleWriteIOPSDevice),
  }
}
