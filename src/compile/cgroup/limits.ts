import type { Resources } from '../../oci/runtime-config.ts'
import { blockIOLimitsV1, blockIOLimitsV2 } from './block-io.ts'
import type { Limit, LimitHost } from './limit.ts'
import { checkMemory, cpusetLimits, hugepageLimits, pidsLimits, rdmaLimits } from './limits-shared.ts'
import { cpuLimitsV1, memoryLimitsV1, networkLimits, refuseUnified } from './limits-v1.ts'
import { cpuLimitsV2, memoryLimitsV2, refuseNetwork, unifiedLimits } from './limits-v2.ts'

/**
 * The limits of `linux.resources` except devices, in an order that the kernel accepts for a new cgroup, each for the cgroup
 * version of its controller.
 *
 * A zero means "not set" where runc takes it so. The files of `unified` come last and so override others.
 * @throws OciError `ERR_CONFIG_INVALID`; `ERR_CONFIG_UNSUPPORTED` a limit that this version of cgroups does not have
 * @see runtime-spec v1.3.0 config-linux.md "Control groups"
 */
export function limitsOf(resources: Resources, host: LimitHost): readonly Limit[] {
  const { memory = {}, cpu = {}, pids = {}, blockIO = {}, hugepageLimits: pages = [], rdma = {} } = resources
  const { network = {}, unified = {} } = resources
  const isV2 = (controller: string): boolean => host.versionOf(controller) === 2
  if (!host.isUnified) refuseUnified(unified)
  if (isV2('net_cls')) refuseNetwork(network)
  checkMemory(memory)
  return [
    ...(isV2('memory') ? memoryLimitsV2(memory) : memoryLimitsV1(memory)),
    ...(isV2('cpu') ? cpuLimitsV2(cpu) : cpuLimitsV1(cpu)),
    ...cpusetLimits(cpu),
    ...pidsLimits(pids),
    ...(isV2('blkio') ? blockIOLimitsV2(blockIO, host) : blockIOLimitsV1(blockIO, host)),
    ...hugepageLimits(pages, isV2('hugetlb') ? 'max' : 'limit_in_bytes'),
    ...(isV2('net_cls') ? [] : networkLimits(network)),
    ...rdmaLimits(rdma),
    ...unifiedLimits(unified),
  ]
}
