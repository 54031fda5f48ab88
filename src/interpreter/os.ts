import { knownErrors } from './system-error.ts'

/** The signals of Linux on x86-64 and arm64, in the order of Node.js. */
export const signals: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGIOT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGCHLD: 17,
  SIGSTKFLT: 16,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPOLL: 29,
  SIGPWR: 30,
  SIGSYS: 31,
}

/** Errors of errno(3) that `os.constants` has, and Node.js has no words for. */
const withoutWords: Readonly<Record<string, number>> = {
  EBADMSG: 74,
  ECHILD: 10,
  EDEADLK: 35,
  EDOM: 33,
  EDQUOT: 122,
  EIDRM: 43,
  EINPROGRESS: 115,
  EMULTIHOP: 72,
  ENETRESET: 102,
  ENOEXEC: 8,
  ENOLCK: 37,
  ENOLINK: 67,
  ENOMSG: 42,
  ENOSR: 63,
  ENOSTR: 60,
  EOPNOTSUPP: 95,
  ESTALE: 116,
  ETIME: 62,
  EWOULDBLOCK: 11,
}

/** Those that Node.js has words for, and that `os.constants` does not have. */
const wordsAlone = ['EHOSTDOWN', 'ENONET', 'EREMOTEIO', 'ESHUTDOWN', 'ESOCKTNOSUPPORT', 'EUNATCH']

/** Makes `node:os`, as far as the runtime uses it. */
export function makeOs(readText: (path: string) => string) {
  const errors = [...knownErrors()].map(([number, [code]]) => [code, -number] as const)
  const errno = [...errors.filter(([code]) => !wordsAlone.includes(code)), ...Object.entries(withoutWords)]
  errno.sort(([one], [other]) => (one < other ? -1 : 1))
  return {
    constants: { signals, errno: Object.fromEntries(errno) },
    release: (): string => readText('/proc/sys/kernel/osrelease').trim(),
    totalmem: (): number => Number(/^MemTotal: +(\d+) kB$/m.exec(readText('/proc/meminfo'))?.[1] ?? 0) * 1024,
  }
}
