import { parseSyscallTable } from '../../../src/compile/seccomp/syscalls/table.ts'
import { x86_64Syscalls } from '../../../src/compile/seccomp/syscalls/x86-64.ts'
import { type Cases, each, shell, tmpfs } from './config.ts'

/** Calls that are filtered, one way to make each, and how it ended. */
const trials = ['mkdir /work/new', 'chmod 700 /work', 'ln -s x /work/link', 'hostname x']
  .map((command) => `(${command}) 2>&1; echo $?`)
  .join('; ')

const filter = (seccomp: object, since = 0) => ({
  since,
  config: shell(`grep Seccomp /proc/self/status; ${trials}`, {
    process: { noNewPrivileges: false },
    mounts: [tmpfs('/work', 'mode=755')],
    linux: { seccomp: { architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'], ...seccomp } },
  }),
})

const calls = ['mkdir', 'mkdirat', 'chmod', 'fchmodat', 'fchmodat2', 'sethostname', 'no_such_call']
const otherCalls = Object.keys(parseSyscallTable(x86_64Syscalls())).filter((name) => !calls.includes(name))
const rule = (names: readonly string[], action: string, rest = {}) => ({ names, action: `SCMP_ACT_${action}`, ...rest })
const allowing = { defaultAction: 'SCMP_ACT_ALLOW' }
const denying = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [rule(otherCalls, 'ALLOW')] }
const actions = ['ERRNO', 'TRAP', 'KILL', 'KILL_THREAD', 'KILL_PROCESS', 'LOG', 'ALLOW', 'TRACE']

/** `linux.seccomp` of config.json; how filters decide is compared with libseccomp elsewhere. */
export const seccompCases: Cases = {
  ...each('calls that end in', actions, (action) => filter({ ...allowing, syscalls: [rule(calls, action)] })),
  'calls with an error of their own': filter({
    ...allowing,
    syscalls: [rule(calls, 'ERRNO', { errnoRet: 28 }), rule(['symlink'], 'ERRNO')],
  }),
  'arguments of calls': filter({
    ...allowing,
    syscalls: [
      rule(['mkdir'], 'ERRNO', { args: [{ index: 1, value: 0o777, op: 'SCMP_CMP_EQ' }] }),
      rule(['chmod', 'fchmodat'], 'ERRNO', {
        errnoRet: 5,
        args: [{ index: 1, value: 0o700, valueTwo: 0o700, op: 'SCMP_CMP_MASKED_EQ' }],
      }),
    ],
  }),
  'calls that are not allowed': filter(denying),
  'calls that are not allowed, with an error': filter({ ...denying, defaultErrnoRet: 95 }),
  'flags of a filter': filter({ ...allowing, flags: ['SECCOMP_FILTER_FLAG_LOG'], syscalls: [rule(calls, 'ERRNO')] }, 2),
  'a filter in a process without new privileges': {
    config: shell(`grep -E "Seccomp|NoNewPrivs" /proc/self/status; ${trials}`, {
      mounts: [tmpfs('/work', 'mode=755')],
      linux: { seccomp: { ...allowing, syscalls: [rule(calls, 'ERRNO')] } },
    }),
  },
  'no rules at all': filter({ ...allowing, syscalls: [] }),
}
