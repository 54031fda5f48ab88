import { openFlags } from '../../program/flags.ts'
import { op, type Step } from '../../program/program.ts'
import type { CompileContext } from '../context.ts'
import { limitHost, noController } from './controllers.ts'
import { compileDeviceRules } from './device-rules.ts'
import type { Limit } from './limit.ts'
import { limitsOf } from './limits.ts'
import { cgroupFile, placeOf } from './paths.ts'
import { withSystemdQuota } from './systemd.ts'

/**
 * Steps that write the limits of `linux.resources`, in an order that the kernel accepts.
 *
 * @throws OciError `ERR_CONFIG_UNSUPPORTED` the controller of a limit is not available
 */
export function compileResources(context: CompileContext): readonly Step[] {
  const { config, facts, warn } = context
  const resources = config.linux?.resources ?? {}
  if (resources.memory?.kernel || resources.memory?.kernelTCP) warn?.('limits of kernel memory are obsolete: ignored')
  const host = {
    ...limitHost(facts.cgroups),
    get hasBfq() {
      return facts.hasBfq // evaluated only on demand: it reads a file for each block device
    },
  }
  const asked = limitsOf(resources, host)
  const limits = context.systemd === undefined ? asked : withSystemdQuota(asked)
  return [...limits.map((limit) => writeLimit(limit, context)), ...compileDeviceRules(context)]
}

function writeLimit({ controller, file, value, from: [pointer], optional }: Limit, context: CompileContext): Step {
  const place = placeOf(controller, context)
  if (!place) throw noController(controller, pointer, context.facts)
  return op(
    'write_file',
    { at: null, path: cgroupFile(place, file), content: value, flags: openFlags.WRONLY, mode: 0 },
    pointer,
    ...(optional ? (['ENOENT'] as const) : []),
  )
}
