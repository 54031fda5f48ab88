/** Flags of `docker run` that people give to `run` and `create`, with what takes their place here. */
const ofDockerRun: Readonly<Record<string, string>> = {
  ...named(
    ['i', 't', 'it', 'ti', 'tty', 'interactive'],
    'leave it out: standard input is always passed on, and with "terminal": true below "process" in config.json there is a terminal',
  ),
  ...named(['rm'], 'leave it out: a container that "run" waits for is deleted when it has ended'),
  ...named(['name'], 'give the name as the last word: it is the container ID'),
}

/** Advice for a flag of docker's that a command does not have; undefined for any other flag. */
export function foreignFlagHint(command: string, flag: string): string | undefined {
  const isFound = ['run', 'create'].includes(command) && Object.hasOwn(ofDockerRun, flag)
  return isFound ? ofDockerRun[flag] : undefined
}

function named(flags: readonly string[], hint: string): Readonly<Record<string, string>> {
  return Object.fromEntries(flags.map((flag) => [flag, hint]))
}
