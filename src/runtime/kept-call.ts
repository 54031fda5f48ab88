/** What `run`, `create` or `exec` may be asked for without keeping its program from being kept. */
export interface KeptOptions {
  readonly detach?: boolean | undefined
  readonly noPivot?: boolean | undefined
  readonly noNewKeyring?: boolean | undefined
  readonly noSubreaper?: boolean | undefined
  readonly keep?: boolean | undefined
  readonly pidFile?: string | undefined
  readonly consoleSocket?: string | undefined
  readonly preserveFds?: number | undefined
  readonly cwd?: string | undefined
  readonly env?: readonly string[] | undefined
  readonly terminal?: boolean | undefined
  readonly user?: string | undefined
  readonly additionalGids?: readonly number[] | undefined
  readonly selinuxLabel?: string | undefined
  readonly apparmorProfile?: string | undefined
  readonly noNewPrivileges?: boolean | undefined
  readonly capabilities?: readonly string[] | undefined
}

/**
 * The command and its options, a line each, in the order of the table in native/request.c, which the front puts together for
 * its call. The paths of --pid-file and --console-socket are not in it: those are registers of the program.
 *
 * @param options and any others, of which none may be given
 * @returns undefined for a call that the front leaves to Node.js: it takes an option once, and without a line break
 */
export function describeCall(
  command: 'create' | 'run' | 'exec',
  options: KeptOptions & Readonly<Record<string, unknown>>,
): string | undefined {
  const { detach, noPivot, noNewKeyring, noSubreaper, keep, pidFile, consoleSocket, preserveFds, cwd, ...more } =
    options
  const { env = [], terminal, user, additionalGids = [], selinuxLabel, apparmorProfile, ...most } = more
  const { noNewPrivileges, capabilities = [], ...others } = most
  if (Object.values(others).some((value) => (Array.isArray(value) ? value.length > 0 : value))) return undefined
  if ([env, additionalGids, capabilities].some((values) => values.length > 1)) return undefined
  const words: readonly (readonly [name: string, value: string | number | boolean | undefined])[] = [
    ['--detach', detach],
    ['--no-pivot', noPivot],
    ['--no-new-keyring', noNewKeyring],
    ['--no-subreaper', noSubreaper],
    ['--keep', keep],
    ['--pid-file', pidFile !== undefined],
    ['--console-socket', consoleSocket !== undefined],
    ['--preserve-fds', preserveFds || undefined],
    ['--cwd', cwd],
    ['--env', env[0]],
    ['--tty', terminal],
    ['--user', user],
    ['--additional-gids', additionalGids[0]],
    ['--process-label', selinuxLabel],
    ['--apparmor', apparmorProfile],
    ['--no-new-privs', noNewPrivileges],
    ['--cap', capabilities[0]],
  ]
  const lines = words.flatMap(([name, value]) => {
    if (value === undefined || value === false) return []
    return [value === true ? name : `${name}=${value}`]
  })
  return lines.some((line) => line.includes('\n')) ? undefined : [command, ...lines].join('\n')
}
