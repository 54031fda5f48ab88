import { recordFile, startFifo, stateFile as stateName } from '../../program/contract.ts'
import { openFlags } from '../../program/flags.ts'
import { type HostStep, op, type Step, type Text, undoable } from '../../program/program.ts'
import type { CompileContext } from '../context.ts'
import { hostID } from '../id-mapping.ts'
import { isNew } from '../namespaces.ts'
import { compileHooks } from './hooks.ts'

const createNew = openFlags.CREAT | openFlags.EXCL
const fifoType = 0o010000
const [ownerOnly, writtenByAnybody] = [0o600, 0o622]
const pidFileOption = '--pid-file'

/**
 * Host steps that come first: they make the state directory, which reserves the container's ID, and a state.json with its
 * cgroups, so that `delete` can find and remove what later steps make.
 */
export function compileStateDirectory(context: CompileContext): readonly HostStep[] {
  const directory = stateFile(context)
  return [
    undoable(
      op('mkdir', { at: null, path: directory, mode: 0o700 }, 'ID'),
      op('remove_directory', { path: directory }),
      ...compileHooks('poststop', context.config, { status: 'stopped', pid: 0, bundle: context.bundle }),
    ),
    undoable(writeNew(stateFile(context, stateName), context.stateText, 0o600)),
  ]
}

/**
 * Host steps that make the FIFO on which a created container waits; while it exists, the status is "created".
 *
 * The container's process opens it as the user of its command, through a descriptor, so that the mode of the directory does
 * not matter. Nobody else can open it, since only the caller can enter the directory.
 */
export function compileStartFifo(context: CompileContext): readonly HostStep[] {
  if (context.mode !== 'create') return []
  const path = stateFile(context, startFifo)
  const { euid, egid } = context.facts
  const uid = waitingUser(context)
  const mode = fifoType | (uid === undefined ? writtenByAnybody : ownerOnly)
  return [
    undoable(op('mknod', { at: null, path, mode, major: 0, minor: 0 })),
    ...(uid === undefined || uid === euid ? [] : [undoable(op('chown', { at: null, path, uid, gid: egid }))]),
    undoable(op('open', { to: 'fifo', at: null, path, flags: openFlags.PATH })),
  ]
}

/** Host steps, while the container's process gets ready, that write its final state to files with temporary names. */
export function compileFinalState(context: CompileContext): readonly HostStep[] {
  return [
    undoable(op('identify', {})),
    ...finalFiles(context).map(({ temporary, content }) => undoable(writeNew(temporary, content, 0o600))),
  ]
}

/** Host steps, after the process is ready, that rename the files of `compileFinalState` to their final names. */
export function compileFinalStateName(context: CompileContext): readonly HostStep[] {
  return finalFiles(context).map(({ temporary, path }) =>
    undoable(op('rename', { at: null, from: temporary, to: path })),
  )
}

/** The front's record, if there is one, and state.json with the pid. */
function finalFiles(
  context: CompileContext,
): readonly { readonly temporary: Text; readonly path: Text; readonly content: Text }[] {
  const file = (temporary: string, path: string, content: Text) => ({
    temporary: stateFile(context, temporary),
    path: stateFile(context, path),
    content,
  })
  return [
    ...(context.frontRecord === undefined ? [] : [file(`${recordFile}.new`, recordFile, context.frontRecord)]),
    file(`.${stateName}`, stateName, context.stateText),
  ]
}

/**
 * Host steps before the command starts that write the pid file with a temporary name. A runner with the same pid that was
 * killed may have left a file of that name, which is removed.
 */
export function compilePidFile(context: CompileContext): readonly HostStep[] {
  return pidFilesOf(context).flatMap(({ temporary: path }) => {
    const remove = op('unlink', { at: null, path }, pidFileOption, 'ENOENT')
    const content: Text = [{ register: 'pid' }]
    const write = op('write_file', { at: null, path, content, flags: createNew, mode: 0o644 }, pidFileOption)
    return [undoable(remove), undoable(write, remove)]
  })
}

/**
 * Host steps before the command starts that remove an old pid file. A path that cannot be replaced, such as a directory,
 * then fails the create or run before the command does anything.
 */
export function compilePidFileRoom(context: CompileContext): readonly HostStep[] {
  return pidFilesOf(context).map(({ pidFile }) =>
    undoable(op('unlink', { at: null, path: pidFile }, pidFileOption, 'ENOENT')),
  )
}

/** Host steps, after all that could fail, that rename the pid file to its final name. It outlives the container. */
export function compilePidFileName(context: CompileContext): readonly HostStep[] {
  return pidFilesOf(context).map(({ temporary, pidFile }) =>
    undoable(op('rename', { at: null, from: temporary, to: pidFile }, pidFileOption)),
  )
}

/** The pid file of --pid-file, if given, and its temporary name. */
function pidFilesOf({ pidFile }: CompileContext): readonly { readonly pidFile: Text; readonly temporary: Text }[] {
  return pidFile === undefined ? [] : [{ pidFile, temporary: [...pidFile, '.', { register: 'own_pid' }] }]
}

/** A path in the container's state directory, or the directory itself. */
export function stateFile({ root }: Pick<CompileContext, 'root'>, file = ''): Text {
  return [`${root}/`, { register: 'id' }, ...(file === '' ? [] : [`/${file}`])]
}

function writeNew(path: Text, content: Text, mode: number): Step {
  return op('write_file', { at: null, path, content, flags: createNew, mode })
}

/**
 * The host's uid of the container's process while it waits. Undefined if it is not known, since the user namespace is
 * joined, or if the caller may not give a file to that user.
 */
function waitingUser({ config, facts, hasUserNamespace }: CompileContext): number | undefined {
  const { linux = {}, process } = config
  if (hasUserNamespace && !isNew(config, 'user')) return undefined
  const uid = hostID(linux, process.user.uid, 'uid')
  return facts.euid === 0 || uid === facts.euid ? uid : undefined
}
