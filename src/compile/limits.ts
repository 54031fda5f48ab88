import type { Resources } from '../oci/runtime-config.ts'
import type { Limit, LimitHost } from './limit.ts'
import { limitsV1 } from './limits-v1.ts'
import { limitsV2 } from './limits-v2.ts'

/**
 * The limits of `linux.resources` but for devices, in an order that the kernel accepts for a new cgroup.
 *
 * A zero means "not set" where it does so for runc.
 * @throws OciError `ERR_CONFIG_INVALID`; `ERR_CONFIG_UNSUPPORTED` a limit that this version of cgroups does not have
 * @see runtime-spec v1.3.0 config-linux.md "Control groups"
 */
export function limitsOf(resources: Resources, host: LimitHost): readonly Limit[] {
  return host.version === 2 ? limitsV2(resources, host) : limitsV1(resources, host)
}
