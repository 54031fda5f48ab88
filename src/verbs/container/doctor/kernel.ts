import { existsSync, readFileSync, statSync } from 'node:fs'
import { release } from 'node:os'
import { isInInitialNamespace } from '../../../bundle/id-mappings.ts'
import { needsUserNamespace } from '../../../caller-rights.ts'
import { OciError } from '../../../errors.ts'
import { readHostFacts } from '../../../host/facts.ts'
import { filterAround, hiddenPart, unconfined } from '../../../host/surrounding-container.ts'
import { forbiddingSwitch } from '../../../host/user-namespace-switches.ts'
import { cloneFlags } from '../../../program/flags.ts'
import { op, undoable } from '../../../program/program.ts'
import { runProgram } from '../../../runtime/runner.ts'
import { engineSeccomp } from '../engine-seccomp.ts'
import type { Caller, Finding } from './finding.ts'
import { textOf } from './finding.ts'

const isAtLeast = (major: number, minor: number): boolean => {
  const [own = 0, ownMinor = 0] = release().split('.').map(Number)
  return own > major || (own === major && ownMinor >= minor)
}

export function kernel(): Finding {
  const says = `Linux ${release()}`
  if (isAtLeast(4, 18)) return { name: 'kernel', status: 'works', says }
  return { name: 'kernel', status: 'failed', says: `${says}; 4.18 or newer is needed` }
}

const needed = ['mnt', 'pid', 'net', 'ipc', 'uts'] as const

export function namespaces(): Finding {
  const all = [...needed, 'cgroup', 'user', 'time'].filter((name) => existsSync(`/proc/self/ns/${name}`))
  const missing = needed.filter((name) => !all.includes(name))
  const says = all.join(', ')
  if (missing.length === 0) return { name: 'namespaces', status: 'works', says }
  return { name: 'namespaces', status: 'failed', says: `the kernel lacks ${missing.join(', ')}` }
}

/** User namespaces, which containers of others than root are in: tried, and where that fails, by the switch that forbids them. */
export async function userNamespaces({ euid }: Caller): Promise<Finding> {
  const name = 'user namespaces'
  const status = needsUserNamespace() || !isInInitialNamespace() ? 'failed' : 'missing'
  try {
    const make = op('unshare', { flags: cloneFlags.NEWUSER })
    await runProgram({ host: [undoable(make)], stage: [], child: [] }, { id: 'doctor' })
    const found = euid === 0 ? undefined : forbiddingSwitch(true)
    if (found === undefined) return { name, status: 'works', says: 'can be made' }
    return { name, status, says: `the switch ${found.name} = ${found.value} takes their rights away`, fix: found.fix }
  } catch (error) {
    if (!(error instanceof OciError)) throw error
    const found = forbiddingSwitch()
    if (found !== undefined) {
      return { name, status, says: `the switch ${found.name} = ${found.value} forbids them`, fix: found.fix }
    }
    if (!filterAround()) return { name, status, says: `cannot be made: ${error.message}` }
    return { name, status, says: 'the seccomp filter around this process forbids them', fix: unconfined.seccomp }
  }
}

/** The mount of procfs, which the kernel refuses to a container in a user namespace where a part of the caller's own is hidden. */
export function procfs(): Finding {
  const name = 'procfs'
  const hidden = hiddenPart('proc')
  if (hidden === undefined || !needsUserNamespace()) return { name, status: 'works', says: 'can be mounted' }
  const says = `${hidden} is hidden, as in a container of an engine: no container in a user namespace can have a /proc`
  return { name, status: 'failed', says, fix: unconfined.systempaths }
}

export function overlays({ euid }: Caller): Finding {
  const name = 'overlayfs'
  const isThere = /\boverlay$/m.test(readFileSync('/proc/filesystems', 'utf8'))
  const purpose = '"try" copies files instead'
  if (!isThere) return { name, status: 'missing', says: `not loaded; ${purpose}`, fix: 'sudo modprobe overlay' }
  if (euid === 0 && isInInitialNamespace()) return { name, status: 'works', says: 'for root' }
  if (isAtLeast(6, 6)) return { name, status: 'works', says: 'for users, in memory' }
  return { name, status: 'missing', says: `for users Linux 6.6 is needed; ${purpose}` }
}

export async function seccomp({ env }: Caller): Promise<Finding> {
  const name = 'seccomp'
  const actions = textOf('/proc/sys/kernel/seccomp/actions_avail')
  if (actions === undefined) return { name, status: 'missing', says: 'the kernel has none: no system call is filtered' }
  const profile = (await engineSeccomp({ env })) ?? "the tool's own"
  return { name, status: 'works', says: `"default" is ${profile}` }
}

export function cgroups({ euid }: Caller): Finding {
  const name = 'cgroups'
  const { mode, hierarchies } = readHostFacts().cgroups
  if (mode === 'none') {
    return { name, status: 'failed', says: 'none are mounted', fix: 'sudo mount -t cgroup2 none /sys/fs/cgroup' }
  }
  if (euid === 0) return { name, status: 'works', says: `${mode}` }
  const unified = hierarchies.find(({ isUnified }) => isUnified)
  const own = unified && `${unified.mountPoint}${unified.own === '/' ? '' : unified.own}`
  const controllers = own && mode === 'v2' ? textOf(`${own}/cgroup.controllers`) : undefined
  if (own && controllers && belongsTo(`${own}/cgroup.procs`, euid)) {
    return { name, status: 'works', says: `${mode}, delegated: ${controllers}` }
  }
  const says = `${mode}, none is delegated to you: containers have no limits`
  const hasSystemd = existsSync('/run/systemd/system')
  return {
    name,
    status: 'missing',
    says,
    fix: hasSystemd ? 'systemd-run --user --scope -p Delegate=yes bash' : undefined,
  }
}

const belongsTo = (path: string, euid: number): boolean => statSync(path, { throwIfNoEntry: false })?.uid === euid
