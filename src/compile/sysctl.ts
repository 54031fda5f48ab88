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

/** `/proc/PID/ns/...` of the namespaces that sysctls can be in. */
const namespaceFiles = { ipc: 'ipc', network: 'net', uts: 'uts', user: 'user' } as const

type SysctlNamespace = keyof typeof namespaceFiles

/**
 * Writes `linux.sysctl` by way of the host's procfs: what the container has at /proc may be anything.
 *
 * @throws OciError `ERR_CONFIG_INVALID` a key that would change the host, since its namespace is not the container's own
 */
export function compileSysctl(context: CompileContext): readonly Step[] {
  return sysctlsOf(context).map(({ key, value, pointer }) => {
    const path = checkPath(`sys/${key.replaceAll('.', '\0').replaceAll('/', '.').replaceAll('\0', '/')}`, pointer)
    return op('write_file', { at: 'proc', path, content: value, flags: openFlags.WRONLY, mode: 0 }, pointer)
  })
}

/** Host steps when the namespaces to join are open: one that is the caller's own is the host's. */
export function compileSysctlChecks(context: CompileContext): readonly HostStep[] {
  return sysctlsOf(context).flatMap(({ type, pointer }) => {
    const isJoined = namespacesOf(context.config).some((namespace) => namespace.type === type && namespace.path)
    const path = `/proc/self/ns/${namespaceFiles[type]}`
    return isJoined ? [undoable(op('expect_other', { slot: `ns_${type}`, path }, pointer))] : []
  })
}

interface Sysctl {
  /** With dots between the parts of its name. */
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

/** The kind of namespace that a sysctl is in, which the container has one of. */
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
