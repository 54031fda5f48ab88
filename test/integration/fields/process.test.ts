import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'vitest'
import type { Capabilities, Process } from '../../../src/oci/runtime-config.ts'
import type { ConfigChange } from '../../container.ts'
import { requires } from '../../requirements.ts'
import { openPlace } from './inside.ts'

const { test } = requires('root', 'busybox', 'python3')
const at = openPlace()
const isV1 = existsSync('/sys/fs/cgroup/cpu')

const withProcess = (process: Partial<Process>): ConfigChange => ({ process })
const bit = (number: number): string => (1n << BigInt(number)).toString(16).padStart(16, '0')

test('/ociVersion: 1.x runs, another is refused', () => {
  const { see, refusal } = at()
  expect(see('echo ran', { config: { ociVersion: '1.0.2-dev' } })).toBe('ran\n')
  expect(refusal({ config: { ociVersion: '2.0.0' } })).toContain('/ociVersion: must be a version')
})

test('/process/terminal: 0, 1 and 2 are a terminal, and it is the controlling one', () => {
  const script = 'for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done; tty </dev/tty'
  expect(at().seeOnTerminal(script, withProcess({ terminal: true }))).toBe(`${'/dev/pts/0\n'.repeat(3)}/dev/tty\n`)
})

test('/process/consoleSize/{height,width}: rows and columns of the terminal', () => {
  const terminal = withProcess({ terminal: true, consoleSize: { height: 31, width: 97 } })
  expect(at().seeOnTerminal('stty size', terminal)).toBe('31 97\n')
})

test('/process/user/{uid,gid,additionalGids,umask}', () => {
  const user = { uid: 1001, gid: 1002, additionalGids: [7, 1003], umask: 0o037 }
  const script = 'grep -E "^(Uid|Gid|Groups|Umask)" /proc/self/status'
  expect(
    at()
      .see(script, withProcess({ user }))
      .replaceAll(/[ \t]+/g, ' '),
  ).toBe('Umask: 0037\nUid: 1001 1001 1001 1001\nGid: 1002 1002 1002 1002\nGroups: 7 1003 \n')
})

test("/annotations/run.oci.keep_original_groups: the caller's groups stay, for exec too; with 0 they do not", () => {
  const { place } = at()
  const under = ['setpriv', '--groups', '77,88']
  const user = { uid: 0, gid: 0, additionalGids: [7] }
  const configure = (value: string) =>
    place.configure('exec sleep 1000', {
      ...withProcess({ user }),
      config: { annotations: { 'run.oci.keep_original_groups': value }, root: { path: 'rootfs' } },
    })
  const groups = (): string => {
    expect(place.tool(['run', '-d', '-b', place.bundle, place.id], { under })).toMatchObject({ end: 0, stderr: '' })
    const { pid } = JSON.parse(place.tool(['state', place.id]).stdout)
    const ofInit = /^Groups:(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    const ofExec = place.tool(['exec', place.id, 'grep', '^Groups', '/proc/self/status'], { under }).stdout
    expect(place.tool(['delete', '-f', place.id]).end).toBe(0)
    return `${ofInit?.trim()}, ${ofExec.slice('Groups:'.length).trim()}`
  }
  configure('1')
  expect(groups()).toBe('77 88, 77 88')
  configure('0')
  expect(groups()).toBe('7, 7')
})

test('/process/user/umask: 0022 when it is left out', () => {
  expect(at().see('umask')).toBe('0022\n')
})

test('/process/args: each is one argument, and the first is looked for in PATH', () => {
  const args = ['printf', '<%s>', 'a b', '', '$HOME', 'ü\n']
  expect(at().see('', withProcess({ args, env: ['PATH=/nothing:/bin'] }))).toBe('<a b><><$HOME><ü\n>')
})

test('/process/env: nothing but what it says, the last of a name, and a HOME', () => {
  const args = ['/bin/env']
  const env = ['A=1', 'B=x=y', 'A=2', 'EMPTY=']
  expect(at().see('', withProcess({ args, env })).split('\n').filter(Boolean).sort()).toEqual([
    'A=2',
    'B=x=y',
    'EMPTY=',
    'HOME=/',
  ])
})

test('/process/cwd: made when it is missing', () => {
  const { see } = at()
  expect(see('pwd; readlink /proc/self/cwd', withProcess({ cwd: '/dev/shm/deep/er' }))).toBe(
    '/dev/shm/deep/er\n/dev/shm/deep/er\n',
  )
})

test('/process/capabilities/{bounding,effective,permitted,inheritable,ambient}: each set by itself', () => {
  const [chown, kill, raw, admin] = ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_RAW', 'CAP_SYS_ADMIN'] as const
  const capabilities: Capabilities = {
    bounding: [chown, kill, raw, admin],
    permitted: [chown, kill, raw],
    inheritable: [kill],
    effective: [chown, kill],
    ambient: [kill],
  }
  const shown = at().see('cat /proc/self/status', withProcess({ capabilities, user: { uid: 1000, gid: 1000 } }))
  const or = (...numbers: readonly number[]): string =>
    numbers
      .reduce((all, number) => all | (1n << BigInt(number)), 0n)
      .toString(16)
      .padStart(16, '0')
  // execve(2) of a user leaves of permitted and effective what is ambient.
  expect(shown).toContain(`CapInh:\t${bit(5)}\nCapPrm:\t${bit(5)}\nCapEff:\t${bit(5)}\n`)
  expect(shown).toContain(`CapBnd:\t${or(0, 5, 13, 21)}\nCapAmb:\t${bit(5)}\n`)
  const root = { noNewPrivileges: false, capabilities: { ...capabilities, ambient: [] } }
  const all = or(0, 5, 13, 21)
  expect(at().see('cat /proc/self/status', withProcess(root))).toContain(
    `CapInh:\t${bit(5)}\nCapPrm:\t${all}\nCapEff:\t${all}\nCapBnd:\t${all}\n`,
  )
})

test('/process/capabilities: one that this kernel has not is a warning, without the field there are none', () => {
  const { place, see } = at()
  const bounding = ['CAP_KILL', 'CAP_TO_COME']
  const { stdout, stderr } = place.run('grep CapBnd /proc/self/status', withProcess({ capabilities: { bounding } }))
  expect(stdout).toBe(`CapBnd:\t${bit(5)}\n`)
  expect(stderr).toContain('CAP_TO_COME')
  expect(see('grep -c "Cap.*:.*0000000000000000" /proc/self/status', withProcess({ capabilities: undefined }))).toBe(
    '5\n',
  )
})

test('/process/capabilities/effective: none that is not permitted', () => {
  const capabilities = { bounding: ['CAP_KILL'], permitted: [], effective: ['CAP_KILL'] }
  expect(at().refusal(withProcess({ capabilities }))).toContain('/process/capabilities/effective')
})

test('/process/rlimits: soft and hard', () => {
  const rlimits = [
    { type: 'RLIMIT_NOFILE', soft: 123, hard: 456 },
    { type: 'RLIMIT_CPU', soft: 1000, hard: 2000 },
  ]
  const { see, refusal } = at()
  const script = 'ulimit -n; ulimit -Hn; ulimit -t; ulimit -Ht'
  expect(see(script, withProcess({ rlimits }))).toBe('123\n456\n1000\n2000\n')
  expect(refusal(withProcess({ rlimits: [{ type: 'RLIMIT_X', soft: 1, hard: 1 }] }))).toContain('/process/rlimits/0')
})

test.each([true, false])('/process/noNewPrivileges: %s', (noNewPrivileges) => {
  const shown = at().see('grep NoNewPrivs /proc/self/status', withProcess({ noNewPrivileges }))
  expect(shown).toBe(`NoNewPrivs:\t${Number(noNewPrivileges)}\n`)
})

test('/process/oomScoreAdj', () => {
  expect(at().see('cat /proc/self/oom_score_adj', withProcess({ oomScoreAdj: 789 }))).toBe('789\n')
})

requires('root', 'busybox', 'no-security-module').test(
  '/process/{apparmorProfile,selinuxLabel} and /linux/mountLabel: refused where the kernel has no such module',
  () => {
    const { refusal, see } = at()
    expect(refusal(withProcess({ apparmorProfile: 'x' }))).toContain('AppArmor is not enabled on this host')
    expect(refusal(withProcess({ selinuxLabel: 'x' }))).toContain('SELinux is not enabled on this host')
    expect(refusal({ linux: { mountLabel: 'x' } })).toContain('SELinux is not enabled on this host')
    expect(see('echo ran', withProcess({ apparmorProfile: '', selinuxLabel: '' }))).toBe('ran\n')
  },
)

/** Prints the policies of the shell, which is the container's first process, and of a child of it. */
const policies = 'grep -hE "^(policy|prio) " /proc/1/sched /proc/self/sched | sed "s/ *: */ /"'

test('/process/scheduler/{policy,nice,flags}', () => {
  const { see, refusal } = at()
  const batch = { policy: 'SCHED_BATCH', nice: 5 }
  expect(see(policies, withProcess({ scheduler: batch }))).toBe('policy 3\nprio 125\n'.repeat(2))
  const once = { policy: 'SCHED_OTHER', nice: -5, flags: ['SCHED_FLAG_RESET_ON_FORK'] }
  expect(see(policies, withProcess({ scheduler: once }))).toBe('policy 0\nprio 115\npolicy 0\nprio 120\n')
  expect(refusal(withProcess({ scheduler: { policy: 'SCHED_X' } }))).toContain('/process/scheduler/policy')
  expect(refusal(withProcess({ scheduler: { ...batch, flags: ['X'] } }))).toContain('/process/scheduler/flags')
})

test('/process/scheduler/priority: of a process in real time', () => {
  const shown = at().see('grep -hE "^(policy|prio) " /proc/1/sched | sed "s/ *: */ /"', {
    process: { scheduler: { policy: 'SCHED_FIFO', priority: 7 } },
    // A cgroup v1 has no time for such a process unless it is given some.
    linux: { resources: isV1 ? { cpu: { realtimePeriod: 1_000_000, realtimeRuntime: 10_000 } } : {} },
  })
  expect(shown).toBe('policy 1\nprio 92\n')
})

test('/process/scheduler/{runtime,deadline,period}', () => {
  const times = { runtime: 42_000, deadline: 1_000_000, period: 2_000_000 }
  const scheduler = { policy: 'SCHED_DEADLINE', flags: ['SCHED_FLAG_RESET_ON_FORK'], ...times }
  const shown = at().see('grep -hE "^(policy|dl.runtime|dl.deadline)" /proc/1/sched', withProcess({ scheduler }))
  expect(shown.split('\n')[0]).toMatch(/^policy +: +6$/)
})

test.each([
  ['IOPRIO_CLASS_RT', 2, 'realtime: prio 2\n'],
  ['IOPRIO_CLASS_BE', 3, 'best-effort: prio 3\n'],
  ['IOPRIO_CLASS_IDLE', 0, 'idle\n'],
] as const)('/process/ioPriority/{class,priority}: %s %i', (ioClass, priority, shown) => {
  expect(at().see('ionice', withProcess({ ioPriority: { class: ioClass, priority } }))).toBe(shown)
})

requires('two CPUs').test('/process/execCPUAffinity/{initial,final}: of a process that joins, before and after', () => {
  const { place, see } = at()
  const cpus = 'grep Cpus_allowed_list /proc/self/status | cut -f 2'
  const affinity = withProcess({ execCPUAffinity: { initial: '0', final: '1' } })
  expect(see(cpus, affinity)).toBe('0-1\n')
  place.configure('exec sleep 1000', affinity)
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id]).end).toBe(0)
  const { stdout, stderr } = place.tool(['--debug', 'exec', place.id, 'sh', '-c', cpus])
  expect(stdout).toBe('1\n')
  expect(stderr).toContain('nsexec: affinity: 0x1')
  expect(place.tool(['delete', '-f', place.id]).end).toBe(0)
})
