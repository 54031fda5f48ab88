import type { Command } from 'commander'
import { runtimeSpecVersion } from '../oci/spec-version.ts'
import { toolCommit, toolVersion } from '../verbs/tool-version.ts'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'

/** The facts that `version` and `--version` print. */
export interface VersionFacts {
  /** The name that the tool was called by. */
  readonly name: string
  readonly version: string
  readonly commit: string
  /** The version of the OCI runtime specification. */
  readonly spec: string
}

/** `version`: what `--version` prints. */
export function versionCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'version',
    usage: '[command options]',
    description: `Prints the version of the tool, and that of the OCI runtime specification which it
follows.

EXAMPLES:
    bundle-tool version
    bundle-tool version --json | jq -r .version`,
  })
  const json = 'a JSON object with "name", "version", "commit" and "spec"'
  return withFormat(command, { plain: 'text', json }).action(() => {
    context.print(versionFacts(context.io.name), (facts) => `${versionText(facts)}\n`)
  })
}

export function versionFacts(name: string): VersionFacts {
  return { name, version: toolVersion(), commit: toolCommit(), spec: runtimeSpecVersion }
}

/** The lines that engines read: the first ends in the version, and `commit:` must be there. */
export const versionText = ({ name, version, commit, spec }: VersionFacts): string =>
  `${name} version ${version}\ncommit: ${commit}\nspec: ${spec}`
