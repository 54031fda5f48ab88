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

/**
 * Host steps that make the container's cgroup in every hierarchy and write its limits. Those in `early` must run before
 * clone; systemd makes them instead when it is used, see `compileUnit`.
 */
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
 * Host steps, while the container's process waits, that have systemd start a unit with the process in it. The limits are
 * written to the cgroup's files nonetheless: systemd has only some of them, rounds them, and enables no controller that it
 * does not need.
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

/** Properties of the unit for device rules. The rules are read without warnings, which `compileDeviceRules` gives. */
function devicePropertiesOf(context: CompileContext, names: DeviceNames): readonly UnitProperty[] {
  const rules = rulesForV1(deviceRulesOf({ ...context, warn: undefined }))
  return deviceProperties(sumOfRules(rules), names, context.warn)
}

/**
 * Makes the unit's cgroup in a hierarchy of a v1 host and moves the process there: systemd makes it only for the controllers
 * that it uses.
 */
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

/**
 * Undo of the unit. The processes are killed first: systemd would wait for those that ignore SIGTERM, as the first process
 * of a PID namespace does.
 */
function compileUnitUndo(context: CompileContext, systemd: SystemdManager): readonly Step[] {
  return [
    ...killProcesses(context),
    compileStopUnit(context.config, systemd),
    ...context.cgroups.map((place) => op('cgroup_remove', { path: cgroupFile(place) }, from, 'EPERM', 'EACCES')),
  ]
}

/** A host step that moves the container's process into the cgroup. */
const moveByHost = (place: CgroupPlace): Step => writeControl(cgroupFile(place, 'cgroup.procs'), [{ register: 'pid' }])

/** Host steps that move a process into the cgroups after it has been restored: CRIU makes it outside of them. */
export function compileMoves({ cgroups, systemd }: CompileContext): readonly HostStep[] {
  return systemd === undefined ? cgroups.map((place) => undoable(moveByHost(place))) : []
}

function writeControl(path: Text, content: Text, ...tolerated: readonly TolerableError[]): Step {
  return op('write_file', { at: null, path, content, flags: openFlags.WRONLY, mode: 0 }, from, ...tolerated)
}

/** The absolute directories of the cgroups above `place`. */
const directoriesAbove = ({ hierarchy, parents }: CgroupPlace): readonly string[] =>
  parents.map((path) => hierarchy.mountPoint + path)

function makeCgroup(place: CgroupPlace, context: CompileContext): readonly HostStep[] {
  const { hierarchy, takesControllers } = place
  const { mountPoint, controllers, isUnified } = hierarchy
  const parents = directoriesAbove(place)
  const own = cgroupFile(place)
  // The cgroup.procs of a threaded cgroup cannot be read (EOPNOTSUPP); refuseType below names the reason.
  const tolerated = takesControllers ? (['EOPNOTSUPP'] as const) : []
  const make = op('cgroup_make', { path: own, levels: parents.length }, from, ...tolerated)
  const thawed = expectThawed(place)
  const remove = op('cgroup_remove', { path: own }, from)
  return [
    // The undo belongs to the last check, so that a cgroup that was in use before is left as it was.
    thawed ? undoable(make) : undoable(make, remove),
    ...(takesControllers ? [refuseType('threaded', 1, place)] : []),
    ...(thawed ? [undoable(thawed, remove)] : []),
    ...(takesControllers ? [refuseType('domain invalid', 0, place), ...enableControllers(place)] : []),
    ...(isUnified ? compileDelegation(place, context).map((step) => undoable(step)) : []),
    ...(controllers.includes('cpuset') ? fillCpuset(mountPoint, parents, place) : []),
  ]
}

/** A step that fails if a file of the cgroup has `content`. @param unlessMade 1: no check of a cgroup that was just made */
const expectNot = (
  place: CgroupPlace,
  operands: { readonly file: string; readonly content: string; readonly unlessMade: 0 | 1 },
  ...tolerated: readonly TolerableError[]
): Step => {
  const { file, content, unlessMade } = operands
  return op('expect_not', { path: cgroupFile(place, file), content, unlessMade }, from, ...tolerated)
}

/**
 * Refuses a cgroup of this type: one in a threaded subtree takes only threads of processes there, not a container.
 * @see kernel cgroup-v2.rst "Threads"
 */
const refuseType = (content: string, unlessMade: 0 | 1, place: CgroupPlace): HostStep =>
  undoable(expectNot(place, { file: 'cgroup.type', content, unlessMade }))

function expectThawed(place: CgroupPlace): Step | undefined {
  const { controllers, isUnified } = place.hierarchy
  if (isUnified) return expectNot(place, { file: 'cgroup.freeze', content: '1', unlessMade: 1 }, 'ENOENT')
  if (!controllers.includes('freezer')) return undefined
  // On cgroup v1 a new cgroup is frozen if its parent is.
  return expectNot(place, { file: 'freezer.state', content: 'FRO', unlessMade: 0 })
}

/** Undo that kills all processes in the cgroup, in one hierarchy, since all have the same processes. */
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
 * True when the process may make its mounts while the host still makes its cgroups and writes their limits. On cgroup v2 it
 * is in its cgroup from the start. On v1 it enters its cgroups later, and the memory that it uses until then is charged to
 * the runtime; so that needs to be little and not limited. Network devices must be there before the process goes on.
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

/** Undo that reports the file with the count of OOM kills, before the cgroup is removed. */
export function compileOomReport(context: CompileContext): readonly Step[] {
  const place = placeOf('memory', context)
  if (place === undefined || context.config.linux?.resources?.memory?.limit === undefined) return []
  const path = cgroupFile(place, place.hierarchy.isUnified ? 'memory.events' : 'memory.oom_control')
  return [op('report_file', { path }, '/linux/resources/memory/limit', 'ENOENT')]
}

/** Host steps that enable controllers at each level above the container's cgroup, as cgroup v2 requires. */
function enableControllers(place: CgroupPlace): readonly HostStep[] {
  const tolerated = ['ENOENT', 'EINVAL', 'EBUSY', 'EPERM', 'EACCES', 'EOPNOTSUPP'] as const
  return [place.hierarchy.mountPoint, ...directoriesAbove(place)].map((path) =>
    undoable(op('enable_controllers', { path }, from, ...tolerated)),
  )
}

/**
 * Host steps that copy CPUs and memory nodes from the parent into each new cpuset of cgroup v1, which has none and takes no
 * process until it has some.
 */
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

/** Opens the unified cgroup, into which clone3(2) puts the process from the start. `slot` is null if there is none. */
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
 * Steps that put the process into its cgroups on v1. A process that moves itself through the `tasks` file avoids a kernel
 * lock that any other move takes and that waits milliseconds for an RCU grace period. A process in a user namespace may not
 * do that, so the host moves it.
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
