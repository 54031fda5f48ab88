import { OciError } from '../errors.ts'
import { toPointer } from '../oci/schema.ts'
import { openFlags } from '../program/flags.ts'
import { op, type Step } from '../program/program.ts'
import type { CompileContext } from './context.ts'
import { namespacesOf } from './namespaces.ts'

/** IPC sysctls that belong to the IPC namespace: linux/ipc_namespace.h. */
const ipcKeys = [
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
]

/**
 * Writes `linux.sysctl` by way of the host's procfs: what the container has at /proc may be anything.
 *
 * @throws OciError `ERR_CONFIG_INVALID` a key that would change the host, since its namespace is not the container's own
 */
export function compileSysctl(context: CompileContext): readonly Step[] {
  return Object.entries(context.config.linux?.sysctl ?? {}).map(([key, value]) => {
    const pointer = toPointer(['linux', 'sysctl', key])
    checkSysctl(dotted(key), pointer, context)
    const path = checkPath(
      `sys/${dotted(key).replaceAll('.', '\0').replaceAll('/', '.').replaceAll('\0', '/')}`,
      pointer,
    )
    return op('write_file', { at: 'proc', path, content: value, flags: openFlags.WRONLY, mode: 0 }, pointer)
  })
}

/** A name with empty components or dots alone would lead out of /proc/sys, to any file of the host. */
function checkPath(path: string, pointer: string): string {
  if (!path.split('/').some((part) => part === '' || part === '.' || part === '..')) return path
  throw new OciError('ERR_CONFIG_INVALID', `"${path}" is no name of a sysctl`, {
    pointer,
    hint: 'name it as sysctl(8) does: net.ipv4.ip_forward',
  })
}

/** With `/` as the separator, a `.` is part of a name (an interface), as sysctl(8) has it. */
function dotted(key: string): string {
  const firstSeparator = /[./]/.exec(key)?.[0]
  return firstSeparator === '/' ? key.replaceAll('.', '\0').replaceAll('/', '.').replaceAll('\0', '/') : key
}

function checkSysctl(key: string, pointer: string, { config }: CompileContext): void {
  const has = (type: string): boolean => namespacesOf(config).some((namespace) => namespace.type === type)
  const refuse = (why: string, hint: string): never => {
    throw new OciError('ERR_CONFIG_INVALID', `sysctl "${key}" ${why}`, { pointer, hint })
  }
  if (ipcKeys.includes(key) || key.startsWith('fs.mqueue.')) {
    if (!has('ipc')) refuse("is not allowed in the host's IPC namespace", 'add {"type": "ipc"} to /linux/namespaces')
  } else if (key.startsWith('net.')) {
    if (!has('network')) {
      refuse("is not allowed in the host's network namespace", 'add {"type": "network"} to /linux/namespaces')
    }
  } else if (key === 'kernel.domainname') {
    if (!has('uts')) refuse("is not allowed in the host's UTS namespace", 'add {"type": "uts"} to /linux/namespaces')
  } else if (key === 'kernel.hostname') {
    refuse('is set by the field hostname', 'set /hostname instead')
  } else if (key.startsWith('user.')) {
    if (!has('user')) refuse("is not allowed in the host's user namespace", 'add {"type": "user"} to /linux/namespaces')
  } else refuse('is not in a separate kernel namespace', 'remove it: it would change the host')
}
