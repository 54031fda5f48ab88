import { OciError } from '../../errors.ts'
import type { IntelRdt, RuntimeConfig } from '../../oci/runtime-config.ts'
import { openFlags } from '../../program/flags.ts'
import { type HostStep, op, type Text, undoable } from '../../program/program.ts'
import type { CompileContext } from '../context.ts'
import type { HostFacts, ResctrlFacts } from '../facts.ts'

const from = '/linux/intelRdt'

/** The resctrl groups of a container's processes, as directories. */
export interface ResctrlGroups {
  /** The group of its class of service. */
  readonly path: Text
  /** The monitoring group, with `enableMonitoring`. */
  readonly monitoring?: Text | undefined
}

/**
 * The resctrl groups of a container; undefined without `linux.intelRdt`.
 *
 * @throws OciError `ERR_CONFIG_UNSUPPORTED` the host lacks a resource; `ERR_CONFIG_INVALID` an invalid `closID`
 * @see runtime-spec v1.3.0 config-linux.md "IntelRdt"
 */
export function resctrlGroups(config: RuntimeConfig, facts: Pick<HostFacts, 'resctrl'>): ResctrlGroups | undefined {
  const rdt = config.linux?.intelRdt
  if (rdt === undefined) return undefined
  const { mountPoint } = checked(rdt, facts.resctrl)
  const path: Text =
    rdt.closID === '/'
      ? mountPoint
      : rdt.closID
        ? `${mountPoint}/${rdt.closID}`
        : [`${mountPoint}/`, { register: 'id' }]
  return {
    path,
    monitoring: rdt.enableMonitoring ? [...pieces(path), '/mon_groups/', { register: 'id' }] : undefined,
  }
}

function checked(
  { closID = '', l3CacheSchema, memBwSchema }: IntelRdt,
  resctrl: ResctrlFacts | undefined,
): ResctrlFacts {
  const unsupported = (field: string, message: string, hint: string): OciError =>
    new OciError('ERR_CONFIG_UNSUPPORTED', message, { pointer: `${from}${field}`, hint })
  if (resctrl === undefined) {
    const hint = 'remove the field, or mount resctrl at /sys/fs/resctrl: the processor and the kernel must have it'
    throw unsupported('', 'intelRdt is specified in config, but Intel RDT is not enabled', hint)
  }
  if (closID === '.' || closID === '..' || (closID !== '/' && closID.includes('/'))) {
    const hint = 'give the name of a directory in resctrl, or "/" for resctrl itself'
    throw new OciError('ERR_CONFIG_INVALID', `invalid intelRdt.closID "${closID}"`, { pointer: `${from}/closID`, hint })
  }
  if (l3CacheSchema && !resctrl.hasCache) {
    const message = 'intelRdt.l3CacheSchema is specified in config, but Intel RDT/CAT is not enabled'
    throw unsupported('/l3CacheSchema', message, 'remove the field: there is no info/L3 in resctrl')
  }
  if (memBwSchema && !resctrl.hasBandwidth) {
    const message = 'intelRdt.memBwSchema is specified in config, but Intel RDT/MBA is not enabled'
    throw unsupported('/memBwSchema', message, 'remove the field: there is no info/MB in resctrl')
  }
  return resctrl
}

/** The lines to write into a group's `schemata`. */
export function schemataOf({ l3CacheSchema, memBwSchema, schemata = [] }: IntelRdt): string {
  return [l3CacheSchema, memBwSchema, ...schemata].map((line) => (line ? `${line}\n` : '')).join('')
}

/**
 * Host steps before clone that make the groups and write the schemata of the class of service.
 *
 * A group with a `closID` and no schemata must exist. A group with a `closID` may be shared, and is never removed.
 */
export function compileResctrlGroups(context: CompileContext): readonly HostStep[] {
  const groups = resctrlGroups(context.config, context.facts)
  const rdt = context.config.linux?.intelRdt
  if (groups === undefined || rdt === undefined) return []
  const schemata = schemataOf(rdt)
  const monitoring =
    groups.monitoring === undefined ? [] : [makeGroup(groups.monitoring, `${from}/enableMonitoring`, true)]
  if (rdt.closID && schemata === '') {
    const flags = openFlags.PATH | openFlags.DIRECTORY
    return [
      undoable(op('open', { to: 'resctrl', at: null, path: groups.path, flags }, `${from}/closID`)),
      ...monitoring,
    ]
  }
  const write = op(
    'write_file',
    { at: null, path: inGroup(groups.path, 'schemata'), content: schemata, flags: openFlags.WRONLY, mode: 0 },
    `${from}/schemata`,
  )
  return [makeGroup(groups.path, from, !rdt.closID), ...(schemata === '' ? [] : [undoable(write)]), ...monitoring]
}

function makeGroup(path: Text, pointer: string, isOwn: boolean): HostStep {
  const make = op('mkdir', { at: null, path, mode: 0o755 }, pointer, 'EEXIST')
  return isOwn ? undoable(make, op('rmdir', { at: null, path }, pointer, 'ENOENT')) : undoable(make)
}

/** Host steps after clone that move the process into the groups. @param ok tolerates that a group is gone */
export function joinResctrlGroups(groups: ResctrlGroups | undefined, ...ok: readonly 'ENOENT'[]): readonly HostStep[] {
  if (groups === undefined) return []
  return [groups.path, ...(groups.monitoring === undefined ? [] : [groups.monitoring])].map((path) =>
    undoable(
      op(
        'write_file',
        { at: null, path: inGroup(path, 'tasks'), content: [{ register: 'pid' }], flags: openFlags.WRONLY, mode: 0 },
        from,
        ...ok,
      ),
    ),
  )
}

const pieces = (text: Text): Exclude<Text, string> => (typeof text === 'string' ? [text] : text)

const inGroup = (group: Text, file: string): Text => [...pieces(group), `/${file}`]
