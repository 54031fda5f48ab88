import { openFlags } from '../../program/flags.ts'
import type { TolerableError } from '../../program/ops.ts'
import { type HostStep, op, type Step, type Text, undoable } from '../../program/program.ts'
import type { CompileContext } from '../context.ts'
import { deviceRulesOf } from './device-rules.ts'
import { rulesForV1, sumOfRules } from './device-rules-v1.ts'
import { compileDelegation } from './owner.ts'
import { type CgroupPlace, cgroupFile, placeOf } from './paths.ts'
import { compileResources } from './resources.ts'
import { compileStartUnit, compileStopUnit, type SystemdManager, unitOf } from './systemd.ts'
import { type DeviceNames, deviceProperties } from './systemd-v1.ts'
import type { UnitProperty } from './unit-property.ts'

const from = '/linux/cgroupsPath'

/** Host steps: the container's cgroup in every hierarchy, empty and with its limits. What clone needs of that is `early`. */
export function compileCgroups(context: CompileContext): {
  readonly early: readonly HostStep[]
  readonly late: readonly HostStep[]
} {
  if (context.systemd !== undefined) return { early: [], late: [] }
  const make = (places: readonly CgroupPlace[]): readonly HostStep[] =>
    places.flatMap((place) => makeCgroup(place, context))
  const unified = context.cgroups.filter(({ hierarchy }) => hierarchy.isUnified)
  const others = context.cgroups.filter(({ hierarchy }) => !hierarchy.isUnified)
  return {
    early: make(unified),
    late: [...make(others), ...compileResources(context).map((step) => undoable(step))],
  }
}

/**
 * Host steps when the container's process waits: a unit of systemd with the process in it. The limits are written
 * nonetheless: systemd knows some of them, in its own precision, and a controller that it has no use for is not on.
 */
export function compileUnit(context: CompileContext): readonly HostStep[] {
  const { config, systemd, cgroups } = context
  if (systemd === undefined) return []
  const devices = systemd.v1 ? devicePropertiesOf(context, systemd.v1.deviceNames) : []
  return [
    undoable(compileStartUnit(config, systemd, devices), ...compileUnitUndo(context, systemd)),
    ...cgroups.flatMap((place) =>
      systemd.v1
        ? enterV1(place, context)
        : [
            ...enableControllers(place),
            ...compileDelegation(place, context).map((step) => undoable(step)),
            // A unit that is a slice starts without a process.
            ...(unitOf(config, systemd).isSlice ? [undoable(moveByHost(place))] : []),
          ],
    ),
    ...compileResources(context).map((step) => undoable(step)),
  ]
}

/** The rules themselves have been warned of by whom writes them. */
function devicePropertiesOf(context: CompileContext, names: DeviceNames): readonly UnitProperty[] {
  const rules = rulesForV1(deviceRulesOf({ ...context, warn: undefined }))
  return deviceProperties(sumOfRules(rules), names, context.warn)
}

/** Of the controllers of cgroup v1 systemd uses some: in the hierarchies of others there is no cgroup of the unit yet. */
function enterV1(place: CgroupPlace, context: CompileContext): readonly HostStep[] {
  const { mountPoint, controllers, isUnified } = place.hierarchy
  const parents = directoriesAbove(place)
  return [
    ...[...parents, cgroupFile(place)].map((path) =>
      undoable(op('mkdir', { at: null, path, mode: 0o755 }, from, 'EEXIST')),
    ),
    ...(place.takesControllers ? enableControllers(place) : []),
    ...(isUnified ? compileDelegation(place, context).map((step) => undoable(step)) : []),
    ...(controllers.includes('cpuset') ? fillCpuset(mountPoint, parents, place) : []),
    undoable(moveByHost(place)),
  ]
}

/** The processes end first: systemd would wait for those that ignore SIGTERM, as the first of a PID namespace does. */
function compileUnitUndo(context: CompileContext, systemd: SystemdManager): readonly Step[] {
  return [
    ...killProcesses(context),
    compileStopUnit(context.config, systemd),
    ...context.cgroups.map((place) => op('cgroup_remove', { path: cgroupFile(place) }, from, 'EPERM', 'EACCES')),
  ]
}

/** The runtime moves the container's process into the cgroup. */
const moveByHost = (place: CgroupPlace): Step => writeControl(cgroupFile(place, 'cgroup.procs'), [{ register: 'pid' }])

/** Host steps when the process runs: into its cgroups, which it was not made in. */
export function compileMoves({ cgroups, systemd }: CompileContext): readonly HostStep[] {
  return systemd === undefined ? cgroups.map((place) => undoable(moveByHost(place))) : []
}

function writeControl(path: Text, content: Text, ...tolerated: readonly TolerableError[]): Step {
  return op('write_file', { at: null, path, content, flags: openFlags.WRONLY, mode: 0 }, from, ...tolerated)
}

/** The cgroups above it, absolute. */
const directoriesAbove = ({ hierarchy, parents }: CgroupPlace): readonly string[] =>
  parents.map((path) => hierarchy.mountPoint + path)

function makeCgroup(place: CgroupPlace, context: CompileContext): readonly HostStep[] {
  const { hierarchy, takesControllers } = place
  const { mountPoint, controllers, isUnified } = hierarchy
  const parents = directoriesAbove(place)
  const own = cgroupFile(place)
  // A threaded one does not say which processes are in it.
  const tolerated = takesControllers ? (['EOPNOTSUPP'] as const) : []
  const make = op('cgroup_make', { path: own, levels: parents.length }, from, ...tolerated)
  const thawed = expectThawed(place)
  const remove = op('cgroup_remove', { path: own }, from)
  return [
    // The last check has the undo: a cgroup that was in use before is left as it was.
    thawed ? undoable(make) : undoable(make, remove),
    ...(takesControllers ? [refuseType('threaded', 1, place)] : []),
    ...(thawed ? [undoable(thawed, remove)] : []),
    ...(takesControllers ? [refuseType('domain invalid', 0, place), ...enableControllers(place)] : []),
    ...(isUnified ? compileDelegation(place, context).map((step) => undoable(step)) : []),
    ...(controllers.includes('cpuset') ? fillCpuset(mountPoint, parents, place) : []),
  ]
}

/** @param unlessMade 1: not of a cgroup that was made just now, where that is known */
const expectNot = (
  place: CgroupPlace,
  operands: { readonly file: string; readonly content: string; readonly unlessMade: 0 | 1 },
  ...tolerated: readonly TolerableError[]
): Step => {
  const { file, content, unlessMade } = operands
  return op('expect_not', { path: cgroupFile(place, file), content, unlessMade }, from, ...tolerated)
}

/** A cgroup in a threaded subtree takes threads of processes there, no container. @see kernel cgroup-v2.rst "Threads" */
const refuseType = (content: string, unlessMade: 0 | 1, place: CgroupPlace): HostStep =>
  undoable(expectNot(place, { file: 'cgroup.type', content, unlessMade }))

function expectThawed(place: CgroupPlace): Step | undefined {
  const { controllers, isUnified } = place.hierarchy
  if (isUnified) return expectNot(place, { file: 'cgroup.freeze', content: '1', unlessMade: 1 }, 'ENOENT')
  if (!controllers.includes('freezer')) return undefined
  // On cgroup v1 a new cgroup is frozen where the one above it is.
  return expectNot(place, { file: 'freezer.state', content: 'FRO', unlessMade: 0 })
}

/** Ends what the container's process left in the cgroup; once is enough, every hierarchy has the same processes. */
export function compileKill(context: CompileContext): readonly Step[] {
  // The unit may be another container's until it has been made.
  return context.systemd === undefined ? killProcesses(context) : []
}

function killProcesses({ cgroups: places }: CompileContext): readonly Step[] {
  const place =
    places.find(({ hierarchy }) => hierarchy.isUnified) ??
    places.find(({ hierarchy }) => hierarchy.controllers.includes('pids')) ??
    places[0]
  return place ? [op('cgroup_kill', { path: cgroupFile(place) }, from)] : []
}

/**
 * Whether the process may begin with its mounts while the host still makes its cgroups and writes their limits. On cgroup v2
 * it is in its cgroup from the start. On v1 it enters its cgroups by itself later, and what it takes of memory until then
 * counts for the runtime. Network devices are moved to it after that.
 */
export function mayMountMeanwhile({ config, systemd, cgroups, hasUserNamespace }: CompileContext): boolean {
  const { limit, swap } = config.linux?.resources?.memory ?? {}
  const isLimited = limit !== undefined || swap !== undefined
  const copiesFiles = (config.mounts ?? []).some(({ options }) => options?.includes('tmpcopyup'))
  return (
    systemd === undefined &&
    !hasUserNamespace &&
    config.linux?.netDevices === undefined &&
    cgroups.length > 0 &&
    (cgroups.every(({ hierarchy }) => hierarchy.isUnified) || !(isLimited || copiesFiles))
  )
}

/** What says whether the kernel killed the process for want of memory, before its cgroup is removed. */
export function compileOomReport(context: CompileContext): readonly Step[] {
  const place = placeOf('memory', context)
  if (place === undefined || context.config.linux?.resources?.memory?.limit === undefined) return []
  const path = cgroupFile(place, place.hierarchy.isUnified ? 'memory.events' : 'memory.oom_control')
  return [op('report_file', { path }, '/linux/resources/memory/limit', 'ENOENT')]
}

/** On cgroup v2 a controller must be turned on at each level above the container's cgroup. */
function enableControllers(place: CgroupPlace): readonly HostStep[] {
  const tolerated = ['ENOENT', 'EINVAL', 'EBUSY', 'EPERM', 'EACCES', 'EOPNOTSUPP'] as const
  return [place.hierarchy.mountPoint, ...directoriesAbove(place)].map((path) =>
    undoable(op('enable_controllers', { path }, from, ...tolerated)),
  )
}

/** A new cpuset on cgroup v1 has no CPUs and no memory nodes, and takes no process until it has some. */
function fillCpuset(mountPoint: string, parents: readonly string[], place: CgroupPlace): readonly HostStep[] {
  const levels: readonly Text[] = [mountPoint, ...parents]
  const pairs = [
    ...parents.map((directory, index) => [levels[index] ?? mountPoint, directory] as const),
    [levels.at(-1) ?? mountPoint, cgroupFile(place)] as const,
  ]
  return pairs.flatMap(([above, directory]) =>
    ['cpuset.cpus', 'cpuset.mems'].map((file) =>
      undoable(op('copy_if_empty', { from: inDirectory(above, file), to: inDirectory(directory, file) }, from)),
    ),
  )
}

function inDirectory(directory: Text, file: string): Text {
  return typeof directory === 'string' ? `${directory}/${file}` : [...directory, `/${file}`]
}

/** The cgroup that clone3(2) puts the process into: the unified one, before the process has run. */
export function compileCloneTarget(context: CompileContext): {
  readonly steps: readonly HostStep[]
  readonly slot: string | null
} {
  const unified = context.cgroups.find((place) => place.hierarchy.isUnified)
  if (!unified || context.systemd !== undefined) return { steps: [], slot: null }
  const flags = openFlags.DIRECTORY | openFlags.RDONLY
  return {
    steps: [undoable(op('open', { to: 'unified', at: null, path: cgroupFile(unified), flags }, from))],
    slot: 'unified',
  }
}

/**
 * How the process gets into its cgroups on v1. A process that moves itself by its `tasks` file spares the kernel the
 * lock that any other move takes, which waits for an RCU grace period: milliseconds. Inside a user namespace the process
 * may not, so the host moves it.
 */
export function compileJoin(context: CompileContext): {
  readonly host: readonly HostStep[]
  readonly child: readonly Step[]
} {
  const places = context.systemd ? [] : context.cgroups.filter((place) => !place.hierarchy.isUnified)
  if (context.hasUserNamespace) {
    return {
      host: places.map((place) => undoable(moveByHost(place))),
      child: [],
    }
  }
  return { host: [], child: places.map((place) => writeControl(cgroupFile(place, 'tasks'), '0')) }
}
