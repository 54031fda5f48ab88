import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { schemataOf } from '../../compile/cgroup/intel-rdt.ts'
import type { ResctrlFacts } from '../../compile/facts.ts'
import { isSystemError, OciError } from '../../errors.ts'
import type { IntelRdt } from '../../oci/runtime-config.ts'
import type { ContainerRecord } from '../state-file.ts'
import { readControl } from './cgroup.ts'

/**
 * Changes the limits of a container's class of service.
 *
 * @returns a function that undoes the change
 * @throws OciError `ERR_NOT_SUPPORTED` the host or the container has no such limits; `ERR_SYSCALL` the kernel refuses,
 *   with its reason
 */
export function changeSchemata(
  { resctrl: groups }: Pick<ContainerRecord, 'resctrl'>,
  rdt: IntelRdt,
  resctrl?: ResctrlFacts,
): () => void {
  const refuse = (message: string): OciError =>
    new OciError('ERR_NOT_SUPPORTED', message, { hint: 'leave out --l3-cache-schema and --mem-bw-schema' })
  if (rdt.l3CacheSchema && !resctrl?.hasCache) throw refuse('Intel RDT/CAT: l3 cache schema is not enabled')
  if (rdt.memBwSchema && !resctrl?.hasBandwidth) throw refuse('Intel RDT/MBA: memory bandwidth schema is not enabled')
  if (groups === undefined) throw refuse('updating a non-existent Intel RDT configuration is not supported')
  const file = join(groups.path, 'schemata')
  const before = readFileSync(file, 'utf8')
  writeSchemata(file, schemataOf(rdt), resctrl?.mountPoint)
  return (): void => writeSchemata(file, before, resctrl?.mountPoint)
}

function writeSchemata(file: string, content: string, mountPoint = ''): void {
  try {
    writeFileSync(file, content, { flag: 'r+' })
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    const reason = readControl(join(mountPoint, 'info'), 'last_cmd_status')
    const message = `unable to write ${JSON.stringify(content)} to "${file}": ${cause.code}`
    throw new OciError('ERR_SYSCALL', reason ? `${message}: ${reason}` : message, { cause })
  }
}
