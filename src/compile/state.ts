import { openFlags } from '../program/flags.ts'
import { type HostStep, op, type Step, type Text, undoable } from '../program/program.ts'
import type { CompileContext } from './context.ts'
import { compileHooks } from './hooks.ts'

const createNew = openFlags.CREAT | openFlags.EXCL
const fifoType = 0o010000
const pidFileOption = '--pid-file'

/**
 * Host steps that come first: the state directory, which is the container's ID being taken, and a state.json that
 * names its cgroups, so that whatever comes after can be found and cleaned up by `delete`.
 */
export function compileStateDirectory(context: CompileContext): readonly HostStep[] {
  const directory = stateFile(context)
  return [
    undoable(
      op('mkdir', { at: null, path: directory, mode: 0o711 }, 'ID'),
      op('remove_directory', { path: directory }),
      ...compileHooks('poststop', context.config, { status: 'stopped', pid: 0, bundle: context.bundle }),
    ),
    undoable(writeNew(stateFile(context, 'state.json'), context.stateText, 0o600)),
  ]
}

/** The FIFO on which the created container waits; its presence is the status "created". */
export function compileStartFifo(context: CompileContext): readonly HostStep[] {
  if (context.mode !== 'create') return []
  const path = stateFile(context, 'exec.fifo')
  const owner = rootOf(context)
  return [
    undoable(op('mknod', { at: null, path, mode: fifoType | 0o622, major: 0, minor: 0 })),
    ...(owner.uid === 0 && owner.gid === 0 ? [] : [undoable(op('chown', { at: null, path, ...owner }))]),
    undoable(op('open', { to: 'fifo', at: null, path, flags: openFlags.PATH })),
  ]
}

/** Host steps while the container's process makes itself ready: what is to be known of it, by names that nobody reads. */
export function compileFinalState(context: CompileContext): readonly HostStep[] {
  return [
    undoable(op('identify', {})),
    ...finalFiles(context).map(({ temporary, content }) => undoable(writeNew(temporary, content, 0o600))),
  ]
}

/** Host steps when it is ready: the names. */
export function compileFinalStateName(context: CompileContext): readonly HostStep[] {
  return finalFiles(context).map(({ temporary, path }) =>
    undoable(op('rename', { at: null, from: temporary, to: path })),
  )
}

/** What the front reads, and state.json with the pid. */
function finalFiles(
  context: CompileContext,
): readonly { readonly temporary: Text; readonly path: Text; readonly content: Text }[] {
  const file = (temporary: string, path: string, content: Text) => ({
    temporary: stateFile(context, temporary),
    path: stateFile(context, path),
    content,
  })
  return [
    ...(context.frontRecord === undefined ? [] : [file('.front.new', '.front', context.frontRecord)]),
    file('.state.json', 'state.json', context.stateText),
  ]
}

/** Host steps before the command starts: the pid file, by a name that nobody reads. */
export function compilePidFile(context: CompileContext): readonly HostStep[] {
  return pidFilesOf(context).map(({ temporary: path }) =>
    undoable(
      op(
        'write_file',
        { at: null, path, content: [{ register: 'pid' }], flags: createNew, mode: 0o644 },
        pidFileOption,
      ),
      op('unlink', { at: null, path }, pidFileOption, 'ENOENT'),
    ),
  )
}

/** Host steps when nothing is left that could fail: the pid file, whole and new. It outlives the container. */
export function compilePidFileName(context: CompileContext): readonly HostStep[] {
  return pidFilesOf(context).map(({ temporary, pidFile }) =>
    undoable(op('rename', { at: null, from: temporary, to: pidFile }, pidFileOption)),
  )
}

/** The one that is asked for, if one is. */
function pidFilesOf({ pidFile }: CompileContext): readonly { readonly pidFile: Text; readonly temporary: Text }[] {
  return pidFile === undefined ? [] : [{ pidFile, temporary: [...pidFile, '.new'] }]
}

/** A path in the container's state directory, or the directory itself. */
export function stateFile({ root }: Pick<CompileContext, 'root'>, file = ''): Text {
  return [`${root}/`, { register: 'id' }, ...(file === '' ? [] : [`/${file}`])]
}

function writeNew(path: Text, content: Text, mode: number): Step {
  return op('write_file', { at: null, path, content, flags: createNew, mode })
}

/** The host's ids of the container's root. */
function rootOf({ config, facts }: CompileContext): { readonly uid: number; readonly gid: number } {
  const hostId = (kind: 'uid' | 'gid', own: number): number => {
    const mappings = config.linux?.[`${kind}Mappings`] ?? []
    return mappings.find(({ containerID }) => containerID === 0)?.hostID ?? own
  }
  return { uid: hostId('uid', facts.euid), gid: hostId('gid', facts.egid) }
}
