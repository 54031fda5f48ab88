import { callerHas } from '../caller-rights.ts'
import { filterAround, hiddenPart, unconfined } from '../host/surrounding-container.ts'
import { forbiddingSwitch } from '../host/user-namespace-switches.ts'
import { type CapabilityName, cloneFlags } from '../program/flags.ts'
import type { OpName } from '../program/ops.ts'
import type { NumberedStep, Step } from '../program/program.ts'

/** The hint for a step that failed with this error, if there is one. @param steps the steps of its program */
export function hintFor(step: Step, errno: string, steps: readonly NumberedStep[]): string | undefined {
  const forbidden = kernelMountHint(step, errno, steps) ?? namespaceHint(step, errno, steps)
  if (forbidden !== undefined) return forbidden
  const missing = errno === 'EPERM' ? (callerHint(step) ?? capabilityHint(step, steps)) : undefined
  if (missing !== undefined) return missing
  if (errno === 'ENOSYS') return 'this kernel, or a seccomp filter around the caller, does not have that system call'
  if (errno === 'EACCES' && step.from === 'ID')
    return 'set XDG_RUNTIME_DIR, or name a directory you may write to with --root'
  if (step.op === 'expect_link')
    return `remove what is there from the rootfs: it is no link to "${step.operands.target}"`
  if (step.from.startsWith('/mounts/')) {
    if (step.op === 'mount') return mountHint(step, errno)
    if (step.op === 'mount_tmpfs' && errno === 'EINVAL') return unknownOption
  }
  return /^\/linux\/(cgroupsPath|resources)\b/.test(step.from) ? cgroupHint(errno) : undefined
}

/** The hint for what the caller's own user namespace does not allow. */
function callerHint({ op, operands, from }: Step): string | undefined {
  if (op === 'setns' && operands.slot === 'own_mounts')
    return 'the mount namespace of the caller does not belong to its user namespace: make both, as "unshare --user --map-root-user --mount" does'
  const kind = /^\/linux\/([ug]id)Mappings$/.exec(from)?.[1]
  if (op !== 'write_file' || kind === undefined) return undefined
  return `only ids that the caller itself has can be mapped, those in the first column of /proc/self/${kind}_map; spec --rootless writes config.json for the user namespace that it is called in`
}

/** The capability that a caller in the initial user namespace needs for an op. */
const neededCapability: Readonly<Partial<Record<OpName, CapabilityName>>> = {
  clone: 'CAP_SYS_ADMIN',
  unshare: 'CAP_SYS_ADMIN',
  setns: 'CAP_SYS_ADMIN',
  mount: 'CAP_SYS_ADMIN',
  open_tree: 'CAP_SYS_ADMIN',
  new_mount: 'CAP_SYS_ADMIN',
  move_mount: 'CAP_SYS_ADMIN',
  mount_setattr: 'CAP_SYS_ADMIN',
  set_propagation: 'CAP_SYS_ADMIN',
  pivot_root: 'CAP_SYS_ADMIN',
  chroot: 'CAP_SYS_CHROOT',
  mknod: 'CAP_MKNOD',
  setgroups: 'CAP_SETGID',
  setgid: 'CAP_SETGID',
  setuid: 'CAP_SETUID',
  bounding_set: 'CAP_SETPCAP',
  prlimit: 'CAP_SYS_RESOURCE',
}

/**
 * The hint for a missing capability: root, as in a container or under capsh(1), is told which it lacks, and other users
 * how to do without root.
 */
function capabilityHint(step: Step, steps: readonly NumberedStep[]): string | undefined {
  if (makeNamespace(steps, 'NEWUSER')) return undefined
  const needed = neededCapability[step.op]
  if (needed === undefined || callerHas(needed)) return undefined
  if (process.geteuid?.() !== 0) return 'run as root, or add a user namespace: bundle-tool spec --rootless'
  return `root lacks ${needed} here: add it to the surrounding container, as with docker run --cap-add, or add a user namespace: bundle-tool spec --rootless`
}

const makesNamespace = ({ op, operands: { flags } }: Step, kind: 'NEWUSER' | 'NEWPID'): boolean =>
  (op === 'clone' || op === 'unshare') && typeof flags === 'number' && (flags & cloneFlags[kind]) !== 0

const makeNamespace = (steps: readonly NumberedStep[], kind: 'NEWUSER' | 'NEWPID'): boolean =>
  steps.some(({ step }) => makesNamespace(step, kind))

/**
 * The hint for procfs or sysfs that a container may not mount: it needs the namespace that procfs is of, and in a user
 * namespace those that are mounted around the caller must be whole. @see Linux fs/namespace.c "mount_too_revealing"
 */
function kernelMountHint(step: Step, errno: string, steps: readonly NumberedStep[]): string | undefined {
  const { type } = step.operands
  if (errno !== 'EPERM' || step.op !== 'mount' || (type !== 'proc' && type !== 'sysfs')) return undefined
  if (!makeNamespace(steps, 'NEWUSER') && !callerHas('CAP_SYS_ADMIN')) return undefined
  if (type === 'proc' && !makeNamespace(steps, 'NEWPID')) {
    return 'mounting proc needs a new PID namespace; add {"type": "pid"} to /linux/namespaces'
  }
  const hidden = hiddenPart(type)
  return (
    hidden &&
    `"${hidden}" is hidden around the caller, so that no user namespace may mount ${type}: ${unconfined.systempaths}`
  )
}

/** The hint for a user namespace that the host forbids, which names the switch. */
function namespaceHint(step: Step, errno: string, steps: readonly NumberedStep[]): string | undefined {
  if (makesNamespace(step, 'NEWUSER') && ['EPERM', 'ENOSPC', 'EUSERS'].includes(errno)) {
    const found = forbiddingSwitch()
    if (found !== undefined) return `${found.name} = ${found.value} forbids user namespaces: ${found.fix}`
    if (errno !== 'EPERM')
      return 'there are as many user namespaces as the host allows: see sysctl user.max_user_namespaces'
    return filterAround()
      ? `the seccomp filter around the caller forbids user namespaces: ${unconfined.seccomp}`
      : 'users may not create user namespaces here: a security module or a chroot around the caller forbids it'
  }
  const isDenied = errno === 'EPERM' || errno === 'EACCES'
  if (!isDenied || process.geteuid?.() === 0 || !makeNamespace(steps, 'NEWUSER')) return undefined
  const found = forbiddingSwitch(true)
  return found && `${found.name} = ${found.value} gives user namespaces no rights: ${found.fix}`
}

const unknownOption = 'an option may be unknown to this file system, or a required one missing: see dmesg'

function mountHint({ operands: { source, type } }: Step, errno: string): string | undefined {
  const isPath = typeof source === 'string' && source.startsWith('/')
  const asBind = `to show "${source}" there, add "bind" (or "rbind") to the mount's options`
  switch (errno) {
    case 'ENODEV':
      if (type === 'none' || type === 'bind') return `${asBind}: a type alone does not do that`
      return `this kernel has no file system "${type}": see /proc/filesystems${isPath ? `; ${asBind}` : ''}`
    case 'ENOTBLK':
      return `"${source}" is not a block device; ${asBind}`
    case 'ENOENT':
      return `check its source, "${source}", and the paths in its options: one of them does not exist`
    case 'EINVAL':
      return unknownOption
    default:
      return undefined
  }
}

function cgroupHint(errno: string): string | undefined {
  switch (errno) {
    case 'EACCES':
    case 'EPERM':
      return 'use --systemd-cgroup in a login session, or name a cgroup of your own in linux.cgroupsPath'
    case 'ENOENT':
      return 'the controller is not delegated to this cgroup: see cgroup.controllers in the one above'
    default:
      return undefined
  }
}
