import { OciError } from '../errors.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { toPointer } from '../oci/schema.ts'
import { openFlags } from '../program/flags.ts'
import { type HostStep, op, type Step, undoable } from '../program/program.ts'
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

/** The file name in `/proc/PID/ns` of each type of namespace that has sysctls. */
const namespaceFiles = { ipc: 'ipc', network: 'net', uts: 'uts', user: 'user' } as const

type SysctlNamespace = keyof typeof namespaceFiles

/**
 * Steps that write `linux.sysctl` through the host's procfs, since the container's own /proc may be anything.
 *
 * @throws OciError `ERR_CONFIG_INVALID` a key that would change the host, since the container has no namespace for it
 */
export function compileSysctl(context: CompileContext): readonly Step[] {
  return sysctlsOf(context).map(({ key, value, pointer }) => {
    const path = checkPath(`sys/${key.replaceAll('.', '\0').replaceAll('/', '.').replaceAll('\0', '/')}`, pointer)
    return op('write_file', { at: 'proc', path, content: value, flags: openFlags.WRONLY, mode: 0 }, pointer)
  })
}

/**
 * Host steps, after the namespaces to join are open, that refuse a namespace with sysctls to write if it is the caller's
 * own: that would change the host.
 */
export function compileSysctlChecks(context: CompileContext): readonly HostStep[] {
  return sysctlsOf(context).flatMap(({ type, pointer }) => {
    const isJoined = namespacesOf(context.config).some((namespace) => namespace.type === type && namespace.path)
    const path = `/proc/self/ns/${namespaceFiles[type]}`
    return isJoined ? [undoable(op('expect_other', { slot: `ns_${type}`, path }, pointer))] : []
  })
}

interface Sysctl {
  /** The name with dots as separators. */
  readonly key: string
  readonly value: string
  readonly type: SysctlNamespace
  readonly pointer: string
}

function sysctlsOf({ config }: CompileContext): readonly Sysctl[] {
  return Object.entries(config.linux?.sysctl ?? {}).map(([name, value]) => {
    const pointer = toPointer(['linux', 'sysctl', name])
    const key = dotted(name)
    return { key, value, type: namespaceOf(key, pointer, config), pointer }
  })
}

/** Refuses a path with a component that is empty, `.` or `..`, which could lead out of /proc/sys to any file of the host. */
function checkPath(path: string, pointer: string): string {
  if (!path.split('/').some((part) => part === '' || part === '.' || part === '..')) return path
  throw new OciError('ERR_CONFIG_INVALID', `"${path}" is not the name of a sysctl`, {
    pointer,
    hint: 'name it as sysctl(8) does: net.ipv4.ip_forward',
  })
}

/** Converts a name to dots as separators. As in sysctl(8), if `/` is the separator, a `.` belongs to a component's name. */
function dotted(key: string): string {
  const firstSeparator = /[./]/.exec(key)?.[0]
  return firstSeparator === '/' ? key.replaceAll('.', '\0').replaceAll('/', '.').replaceAll('\0', '/') : key
}

/** The type of namespace to which a sysctl belongs. Throws unless the container has a namespace of this type. */
function namespaceOf(key: string, pointer: string, config: RuntimeConfig): SysctlNamespace {
  const refuse = (why: string, hint: string): OciError =>
    new OciError('ERR_CONFIG_INVALID', `sysctl "${key}" ${why}`, { pointer, hint })
  const type = typeOf(key)
  if (key === 'kernel.hostname') throw refuse('is set by the field hostname', 'set /hostname instead')
  if (type === undefined) {
    throw refuse('is not in a separate kernel namespace', 'remove it: it would change the host')
  }
  if (namespacesOf(config).some((namespace) => namespace.type === type)) return type
  const name = type === 'ipc' || type === 'uts' ? type.toUpperCase() : type
  throw refuse(`is not allowed in the host's ${name} namespace`, `add {"type": "${type}"} to /linux/namespaces`)
}

function typeOf(key: string): SysctlNamespace | undefined {
  if (ipcKeys.includes(key) || key.startsWith('fs.mqueue.')) return 'ipc'
  if (key.startsWith('net.')) return 'network'
  if (key === 'kernel.domainname') return 'uts'
  return key.startsWith('user.') ? 'user' : undefined
}
