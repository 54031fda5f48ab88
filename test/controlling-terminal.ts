/** Keeps the three descriptors, and has a terminal of its own be the controlling one: whatever the caller has of that kind. */
const code = `
import os, pty, sys
kept = [os.dup(number) for number in range(3)]
pid, _ = pty.fork()
if pid == 0:
    for number, descriptor in enumerate(kept):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.execvp(sys.argv[1], sys.argv[1:])
os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
`

/** Words before a command that is to have a controlling terminal, its descriptors 0 to 2 being no terminal. Needs `python3`. */
export const withControllingTerminal: readonly string[] = ['python3', '-c', code]

/** Words before a command that is to have no terminal at all, as one that cron starts. Needs `setsid`. */
export const withoutTerminal: readonly string[] = ['/usr/bin/setsid', '--wait']
