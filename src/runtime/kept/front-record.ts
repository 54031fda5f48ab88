import type { ResctrlGroups } from '../../compile/cgroup/intel-rdt.ts'
import { isNew } from '../../compile/namespaces.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { type RecordLine, recordFlags, recordLines, recordVersion } from '../../program/contract.ts'
import { printableLines } from '../../text.ts'
import { freezerOf } from '../cgroup/freezer-files.ts'
import type { Pieces } from '../json-text.ts'
import { stateVersion } from '../libcontainer/config.ts'
import { notRunning } from '../not-running.ts'
import { labelsOf, splitLabels } from '../state-file.ts'

export interface FrontFacts {
  /** Absolute path, as is `rootfs`. */
  readonly bundle: string
  readonly rootfs: string
  /** The cgroup's directories by controller; the unified hierarchy is under `''`. */
  readonly cgroupPaths: Readonly<Record<string, Pieces>>
  readonly rootlessCgroups: boolean
  /** True when systemd made the cgroup, and its unit has to be stopped. */
  readonly systemdCgroup?: boolean | undefined
  /** True when `start` has to create a socket, in a directory that `delete` removes. */
  readonly hasNotifySocket?: boolean | undefined
  /** The container's groups of resctrl, which are removed with it. */
  readonly resctrl?: ResctrlGroups | undefined
}

/** Stands for the time of creation, which only the runner knows: no path contains it. */
const createdMark = '\0created'
/** Stands for the ID, which only the runner knows: nothing in it is written differently in JSON. */
const idMark = '<id>'

/**
 * The record of a container for the front (native/front/record.c), which starts, shows, signals, pauses and deletes the
 * container without Node.js.
 *
 * Its first lines are `recordLines` of the contract. It is undefined for a container with a line break in a path, which
 * the front leaves to Node.js.
 */
export function frontRecord(config: RuntimeConfig, facts: FrontFacts): Pieces | undefined {
  const { directory, files } = freezerOf(facts.cgroupPaths) ?? {}
  const ended = notRunning(idMark).message
  const first: Readonly<Record<RecordLine, Pieces>> = {
    version: [recordVersion],
    pid: [{ register: 'pid' }],
    start_time: [{ register: 'start_time' }],
    flags: [flags(config, facts)],
    freezer: directory && files ? [...directory, `/${files.control}`] : [],
    thawed: files ? [files.thawed] : [],
    frozen: files ? [files.frozen] : [],
    proof: directory && files ? [...directory, `/${files.proof}`] : [],
    proven: files ? [files.proofLine] : [],
    not_running: piecesOf(ended),
    quoted_not_running: piecesOf(JSON.stringify(ended)),
  }
  const directories = new Map(Object.values(facts.cgroupPaths).map((path) => [JSON.stringify(path), path]))
  const lines: readonly Pieces[] = [...recordLines.map((name) => first[name]), ...directories.values(), []]
  if (lines.flat().some((piece) => typeof piece === 'string' && piece.includes('\n'))) return undefined
  return [...lines.flatMap((line) => [...line, '\n']), ...stateText(config, facts)]
}

/** A text with the mark of the ID in it. */
function piecesOf(text: string): Pieces {
  const [before = '', after = ''] = text.split(idMark)
  return [before, { register: 'id' }, after]
}

/** The actions that the front may take for this container: kill all of it by its first process, start it, delete it. */
function flags(config: RuntimeConfig, facts: FrontFacts): string {
  const { rootlessCgroups, systemdCgroup, hasNotifySocket, resctrl } = facts
  const hasOwnPidNamespace = isNew(config, 'pid')
  const isPlain = hasOwnPidNamespace && !rootlessCgroups && !systemdCgroup && !hasNotifySocket && !resctrl
  return [
    hasOwnPidNamespace ? recordFlags.kill : '',
    config.hooks?.poststart?.length || hasNotifySocket ? '' : recordFlags.start,
    isPlain && !config.hooks?.poststop?.length ? recordFlags.delete : '',
  ].join('')
}

/** The JSON of `state`, in the order of `stateOf`, which it must equal byte for byte. */
function stateText(config: RuntimeConfig, { bundle, rootfs }: FrontFacts): Pieces {
  const { annotations } = splitLabels(labelsOf(config, bundle))
  const value = JSON.stringify(
    {
      bundle,
      rootfs,
      created: createdMark,
      ...(Object.keys(annotations).length > 0 && { annotations }),
      owner: '',
    },
    undefined,
    2,
  )
  // As the command line prints it.
  const text = printableLines(value)
  const mark = JSON.stringify(createdMark).slice(1, -1)
  const [before, after] = [text.slice(2, text.indexOf(mark)), text.slice(text.indexOf(mark) + mark.length)]
  const head = `{\n  "ociVersion": ${JSON.stringify(stateVersion)},\n  "id": "`
  return [head, { register: 'id' }, `",\n${before}`, { register: 'created' }, `${after}\n`]
}
