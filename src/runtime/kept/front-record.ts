import type { ResctrlGroups } from '../../compile/cgroup/intel-rdt.ts'
import { isNew } from '../../compile/namespaces.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { printableLines } from '../../text.ts'
import type { Pieces } from '../json-text.ts'
import { stateVersion } from '../libcontainer/config.ts'
import { labelsOf, splitLabels } from '../state-file.ts'

export interface FrontFacts {
  /** Absolute, as `rootfs`. */
  readonly bundle: string
  readonly rootfs: string
  /** By controller, the unified hierarchy under `''`. */
  readonly cgroupPaths: Readonly<Record<string, Pieces>>
  readonly rootlessCgroups: boolean
  /** Whether systemd made the cgroup, and has its unit to end. */
  readonly systemdCgroup?: boolean | undefined
  /** Whether `start` has a socket to make, in a directory that `delete` removes. */
  readonly hasNotifySocket?: boolean | undefined
  /** Its groups of resctrl, which go with it. */
  readonly resctrl?: ResctrlGroups | undefined
}

/** Of the record; the front leaves any other to Node.js. */
const version = '1'

/** Stands for the time of creation, which only the runner knows: no path contains it. */
const createdMark = '\0created'

/**
 * What the front (native/front/lifecycle.c) knows of a container, to start, show, signal, pause and delete it without Node.js.
 *
 * Lines: version, pid, start time, flags, the control file of the freezer; then the cgroup's directories and an empty
 * line; then the JSON of `state` without the lines of pid and status. Undefined for a container with a line break in a
 * path: that one is left to Node.js.
 */
export function frontRecord(config: RuntimeConfig, facts: FrontFacts): Pieces | undefined {
  const { freezer, '': unified } = facts.cgroupPaths
  const freezerFile = freezer ? [...freezer, '/freezer.state'] : unified ? [...unified, '/cgroup.freeze'] : []
  const directories = new Map(Object.values(facts.cgroupPaths).map((path) => [JSON.stringify(path), path]))
  const lines: readonly Pieces[] = [
    [version],
    [{ register: 'pid' }],
    [{ register: 'start_time' }],
    [flags(config, facts)],
    freezerFile,
    ...directories.values(),
    [],
  ]
  if (lines.flat().some((piece) => typeof piece === 'string' && piece.includes('\n'))) return undefined
  return [...lines.flatMap((line) => [...line, '\n']), ...stateText(config, facts)]
}

/** What the front may do for this container: kill all of it by its first process, start it, delete it. */
function flags(config: RuntimeConfig, facts: FrontFacts): string {
  const { rootlessCgroups, systemdCgroup, hasNotifySocket, resctrl } = facts
  const hasOwnPidNamespace = isNew(config, 'pid')
  const isPlain = hasOwnPidNamespace && !rootlessCgroups && !systemdCgroup && !hasNotifySocket && !resctrl
  return [
    hasOwnPidNamespace ? 'k' : '',
    config.hooks?.poststart?.length || hasNotifySocket ? '' : 's',
    isPlain && !config.hooks?.poststop?.length ? 'd' : '',
  ].join('')
}

/** In the order of `stateOf`, which this must equal byte for byte. */
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
