/** The text that a hook has written. */
export interface HookOutput {
  readonly stdout: string
  readonly stderr: string
}

/** The end of the message about a failed hook, in runc's words, which users search for. */
export const quotedOutput = ({ stdout, stderr }: HookOutput): string =>
  `, stdout: ${stdout.trimEnd()}, stderr: ${stderr.trimEnd()}`
