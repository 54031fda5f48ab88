import type { Command } from 'commander'
import { checkpointCommand } from './checkpoint.ts'
import { completionCommand } from './completion.ts'
import { configCommand } from './config.ts'
import type { CommandContext, CommandKind } from './context.ts'
import { copyCommand } from './copy.ts'
import { createCommand } from './create.ts'
import { deleteCommand } from './delete.ts'
import { diffCommand } from './diff.ts'
import { digestCommand } from './digest.ts'
import { doctorCommand } from './doctor.ts'
import { engineCommand } from './engine.ts'
import { eventsCommand } from './events.ts'
import { execCommand } from './exec.ts'
import { explainCommand } from './explain.ts'
import { exportCommand } from './export.ts'
import { featuresCommand } from './features.ts'
import { imagesCommand } from './images.ts'
import { inspectCommand } from './inspect.ts'
import { killCommand } from './kill.ts'
import { listCommand } from './list.ts'
import { listReferrersCommand } from './list-referrers.ts'
import { listTagsCommand } from './list-tags.ts'
import { loginCommand } from './login.ts'
import { logoutCommand } from './logout.ts'
import { manCommand } from './man.ts'
import { pauseCommand } from './pause.ts'
import { pruneCommand } from './prune.ts'
import { psCommand } from './ps.ts'
import { pullCommand } from './pull.ts'
import { pushCommand } from './push.ts'
import { repackCommand } from './repack.ts'
import { restoreCommand } from './restore.ts'
import { resumeCommand } from './resume.ts'
import { rmiCommand } from './rmi.ts'
import { runCommand } from './run.ts'
import { specCommand } from './spec.ts'
import { startCommand } from './start.ts'
import { stateCommand } from './state.ts'
import { statsCommand } from './stats.ts'
import { stopCommand } from './stop.ts'
import { type CommandName, summaries } from './summaries.ts'
import { tagCommand } from './tag.ts'
import { tryCommand } from './try.ts'
import { unpackCommand } from './unpack.ts'
import { unshareCommand } from './unshare.ts'
import { updateCommand } from './update.ts'
import { verifyCommand } from './verify.ts'
import { versionCommand } from './version.ts'
import { waitCommand } from './wait.ts'

interface CommandEntry {
  readonly name: CommandName
  readonly kind: CommandKind
  /** It is about the others, too: all are made for it. */
  readonly seesAll?: boolean
  readonly create: (context: CommandContext) => Command
}

/** Every command but `help`, in the order of the help. */
export const commands: readonly CommandEntry[] = [
  { name: 'try', kind: 'image', create: tryCommand },
  { name: 'pull', kind: 'image', create: pullCommand },
  { name: 'unpack', kind: 'image', create: unpackCommand },
  { name: 'inspect', kind: 'image', create: inspectCommand },
  { name: 'digest', kind: 'image', create: digestCommand },
  { name: 'list-tags', kind: 'image', create: listTagsCommand },
  { name: 'list-referrers', kind: 'image', create: listReferrersCommand },
  { name: 'copy', kind: 'image', create: copyCommand },
  { name: 'push', kind: 'image', create: pushCommand },
  { name: 'images', kind: 'image', create: imagesCommand },
  { name: 'tag', kind: 'image', create: tagCommand },
  { name: 'rmi', kind: 'image', create: rmiCommand },
  { name: 'prune', kind: 'image', create: pruneCommand },
  { name: 'verify', kind: 'image', create: verifyCommand },
  { name: 'login', kind: 'image', create: loginCommand },
  { name: 'logout', kind: 'image', create: logoutCommand },
  { name: 'export', kind: 'image', create: exportCommand },
  { name: 'diff', kind: 'image', create: diffCommand },
  { name: 'repack', kind: 'image', create: repackCommand },
  { name: 'unshare', kind: 'image', create: unshareCommand },
  { name: 'spec', kind: 'runtime', create: specCommand },
  { name: 'config', kind: 'image', create: configCommand },
  { name: 'explain', kind: 'image', create: explainCommand },
  { name: 'run', kind: 'runtime', create: runCommand },
  { name: 'create', kind: 'runtime', create: createCommand },
  { name: 'start', kind: 'runtime', create: startCommand },
  { name: 'exec', kind: 'runtime', create: execCommand },
  { name: 'state', kind: 'runtime', create: stateCommand },
  { name: 'list', kind: 'runtime', create: listCommand },
  { name: 'ps', kind: 'runtime', create: psCommand },
  { name: 'pause', kind: 'runtime', create: pauseCommand },
  { name: 'resume', kind: 'runtime', create: resumeCommand },
  { name: 'stats', kind: 'image', create: statsCommand },
  { name: 'events', kind: 'runtime', create: eventsCommand },
  { name: 'update', kind: 'runtime', create: updateCommand },
  { name: 'checkpoint', kind: 'runtime', create: checkpointCommand },
  { name: 'restore', kind: 'runtime', create: restoreCommand },
  { name: 'kill', kind: 'runtime', create: killCommand },
  { name: 'stop', kind: 'image', create: stopCommand },
  { name: 'wait', kind: 'image', create: waitCommand },
  { name: 'doctor', kind: 'image', create: doctorCommand },
  { name: 'features', kind: 'runtime', create: featuresCommand },
  { name: 'delete', kind: 'runtime', create: deleteCommand },
  { name: 'engine', kind: 'image', create: engineCommand },
  { name: 'version', kind: 'image', create: versionCommand },
  { name: 'completion', kind: 'image', create: completionCommand, seesAll: true },
  { name: 'man', kind: 'image', create: manCommand, seesAll: true },
]

/** Every word that is a command. */
export const commandNames: readonly string[] = Object.keys(summaries)

export function kindOf(name: string): CommandKind | undefined {
  return commands.find((command) => command.name === name)?.kind
}
