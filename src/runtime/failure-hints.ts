import { Door } from '../host/door.ts'
import { forbiddingSwitch } from '../host/user-namespace-switches.ts'
import { capabilityNames, cloneFlags } from '../program/flags.ts'
import type { OpName } from '../program/ops.ts'
import type { NumberedStep, Step } from '../program/program.ts'

/** The hint for a step that failed with this error, if there is one. @param steps the steps of its program */
export function hintFor(step: Step, errno: string, steps: readonly NumberedStep[]): string | undefined {
  if (errno === 'EPERM' && step.op === 'mount' && step.operands.type === 'proc' && hasCapability('CAP_SYS_ADMIN')) {
    return 'mounting proc needs a new PID namespace; add {"type": "pid"} to /linux/namespaces'
  }
  const forbidden = namespaceHint(step, errno, steps)
  if (forbidden !== undefined) return forbidden
  const missing = errno === 'EPERM' ? capabilityHint(step, steps) : undefined
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

/** The capability that a caller in the initial user namespace needs for an op. */
const neededCapability: Readonly<Partial<Record<OpName, (typeof capabilityNames)[number]>>> = {
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
  if (steps.some((other) => makesUserNamespace(other.step))) return undefined
  const needed = neededCapability[step.op]
  if (needed === undefined || hasCapability(needed)) return undefined
  if (process.geteuid?.() !== 0) return 'run as root, or add a user namespace: bundle-tool spec --rootless'
  return `root lacks ${needed} here: add it to the surrounding container, as with docker run --cap-add, or add a user namespace: bundle-tool spec --rootless`
}

function makesUserNamespace({ op, operands: { flags } }: Step): boolean {
  return (op === 'clone' || op === 'unshare') && typeof flags === 'number' && (flags & cloneFlags.NEWUSER) !== 0
}

/** The hint for a user namespace that the host forbids, which names the switch. */
function namespaceHint(step: Step, errno: string, steps: readonly NumberedStep[]): string | undefined {
  if (makesUserNamespace(step) && ['EPERM', 'ENOSPC', 'EUSERS'].includes(errno)) {
    const found = forbiddingSwitch()
    if (found !== undefined) return `${found.name} = ${found.value} forbids user namespaces: ${found.fix}`
    return errno === 'EPERM'
      ? 'users may not create user namespaces here: a seccomp filter or a security module around the caller forbids it'
      : 'there are as many user namespaces as the host allows: see sysctl user.max_user_namespaces'
  }
  const isDenied = errno === 'EPERM' || errno === 'EACCES'
  if (!isDenied || process.geteuid?.() === 0 || !steps.some((other) => makesUserNamespace(other.step))) return undefined
  const found = forbiddingSwitch(true)
  return found && `${found.name} = ${found.value} gives user namespaces no rights: ${found.fix}`
}

function hasCapability(name: (typeof capabilityNames)[number]): boolean {
  const { capabilities } = new Door().caller()
  return ((capabilities >> BigInt(capabilityNames.indexOf(name))) & 1n) === 1n
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
