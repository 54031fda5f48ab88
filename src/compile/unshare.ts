import type { IDMapping, IDMappings } from '../oci/runtime-config.ts'
import { cloneFlags, prctl } from '../program/flags.ts'
import { op, type Program, type Step, undoable } from '../program/program.ts'
import type { HostFacts } from './facts.ts'

export interface UnshareRequest extends IDMappings {
  readonly helpers: Required<HostFacts['idMapHelpers']>
  readonly command: readonly string[]
  /** `NAME=value` each; the command is searched for in its PATH. */
  readonly env: readonly string[]
  readonly umask: number
}

/** The origin of these steps, which no field of config.json asks for. */
export const unshareOrigin = 'user namespace'

const mapped = 1
const sigterm = 15

/**
 * Compiles the program that runs a command as root of a new user namespace. The directory, descriptors, terminal,
 * supplementary groups and other namespaces stay the caller's. If a parent is killed, the command gets SIGTERM.
 */
export function compileUnshare({ uidMappings, gidMappings, helpers, command, env, umask }: UnshareRequest): Program {
  const endWithParent = op('prctl', { option: prctl.PDEATHSIG, value: sigterm })
  const path = env.find((variable) => variable.startsWith('PATH='))?.slice('PATH='.length) ?? ''
  return {
    host: [
      undoable(endWithParent),
      undoable(op('clone', { flags: cloneFlags.NEWUSER, cgroup: null }, unshareOrigin), op('kill_child', {})),
      undoable(mapIDs(helpers.gid, gidMappings)),
      undoable(mapIDs(helpers.uid, uidMappings)),
      undoable(op('sync_send', { barrier: mapped })),
      undoable(op('supervise', { terminal: null, keep: 0, unheard: 0 })),
    ],
    stage: [],
    child: [
      op('sync_wait', { barrier: mapped }),
      op('setgid', { gid: 0 }, unshareOrigin),
      op('setuid', { uid: 0 }, unshareOrigin),
      endWithParent,
      op('umask', { mask: umask }),
      op('find_command', { name: command[0] ?? '', path }),
      op('execve', { argv: command, env }),
    ],
  }
}

const mapIDs = (helper: string, mappings: readonly IDMapping[]): Step =>
  op('spawn_id_map', { helper, map: mapWords(mappings) }, unshareOrigin)

/** Converts mappings to arguments of newuidmap(1). */
export const mapWords = (mappings: readonly IDMapping[]): string[] =>
  mappings.flatMap(({ containerID, hostID, size }) => [containerID, hostID, size].map(String))
