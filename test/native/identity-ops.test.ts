import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { capabilityNames, cloneFlags, mountFlags, openFlags, prctl, resource } from '../../src/program/flags.ts'
import { op, type Program, type Step } from '../../src/program/program.ts'
import { requires } from '../requirements.ts'
import { childProgram, execute, expectDone, expectFailure, hostProgram, look, mountProgram } from './runner.ts'

const asRoot = requires('root')
const bit = (name: (typeof capabilityNames)[number]): bigint => 1n << BigInt(capabilityNames.indexOf(name))
const status = (field: string): readonly Step[] => look(`sed -n 's/^${field}:[ \\t]*//p' /proc/self/status`)

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'identity-ops-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

test('setsid makes a session, and fails for the leader of a process group', () => {
  const both = look('set -- $(cat /proc/self/stat); echo $6; sed "s/ .*//" /proc/$PPID/stat >/dev/null; echo $$')
  const [session, pid] = expectDone(childProgram(0, op('setsid', {}), ...both)).split('\n')
  expect(session).toBe(pid)
  expectFailure(childProgram(0, op('setsid', {}), op('setsid', {})), 'setsid', 'EPERM')
})

test('session_keyring joins the keyring of this name, with the permissions to find it again', () => {
  const program = childProgram(
    0,
    op('session_keyring', { name: ['_ses.', { register: 'id' }], permissions: 0x80000 }),
    ...look('cat /proc/keys'),
  )
  for (const id of ['ring', 'r'.repeat(229), 'r'.repeat(230), 'r'.repeat(255), 'r'.repeat(1000)]) {
    expect(expectDone(program, { id })).toMatch(new RegExp(` 3f1b0000 .* _ses\\.${id}: empty$`, 'm'))
  }
  expectFailure(
    hostProgram(op('session_keyring', { name: 'n'.repeat(5000), permissions: 0 })),
    'session_keyring',
    'EINVAL',
  )
  // The buffer has no room for the kernel's description of such a keyring.
  expectFailure(
    childProgram(0, op('session_keyring', { name: 'n'.repeat(4090), permissions: 0 })),
    'session_keyring',
    'ENAMETOOLONG',
  )
})

test('prlimit limits the process itself in a child', () => {
  const limit = op('prlimit', { resource: resource.RLIMIT_NOFILE, soft: 33, hard: 44 })
  expect(expectDone(childProgram(0, limit, ...look('ulimit -n; ulimit -Hn')))).toBe('33\n44\n')
  expectFailure(childProgram(0, op('prlimit', { resource: 99, soft: 1, hard: 1 })), 'prlimit', 'EINVAL')
})

asRoot.test('names belong to the UTS namespace', () => {
  const names = [op('sethostname', { name: 'my-host' }), op('setdomainname', { name: 'my.domain' })]
  expect(
    expectDone(childProgram(cloneFlags.NEWUTS, ...names, ...look('cat /proc/sys/kernel/*name'))).split('\n'),
  ).toEqual(expect.arrayContaining(['my-host', 'my.domain']))
  const long = 'x'.repeat(65)
  expectFailure(childProgram(cloneFlags.NEWUTS, op('sethostname', { name: long })), 'sethostname', 'EINVAL')
  expectFailure(childProgram(cloneFlags.NEWUTS, op('setdomainname', { name: long })), 'setdomainname', 'EINVAL')
})

asRoot.test('loopback_up brings the interface up, and fails without the right to', () => {
  const flags = look('cat /sys/class/net/lo/flags 2>/dev/null; grep -c "127.0.0.0" /proc/net/fib_trie')
  expect(
    Number(
      expectDone(childProgram(cloneFlags.NEWNET, op('loopback_up', {}), ...flags))
        .split('\n')
        .at(-2),
    ),
  ).toBeGreaterThan(0)
  expectFailure(
    childProgram(cloneFlags.NEWNET, op('setuid', { uid: 65534 }), op('loopback_up', {})),
    'loopback_up',
    'EPERM',
  )
})

test('umask is what the process gets', () => {
  expect(expectDone(childProgram(0, op('umask', { mask: 0o27 }), ...look('umask')))).toBe('0027\n')
})

test('chdir works once: a later one does nothing', () => {
  const to = (path: string): Step => op('chdir', { path })
  expect(expectDone(childProgram(0, to('/usr'), to('/missing'), ...look('pwd')))).toBe('/usr\n')
  expectFailure(childProgram(0, to('/missing')), 'chdir', 'ENOENT')
})

asRoot.test('chdir refuses a directory outside of the root (CVE-2024-21626)', () => {
  const program = childProgram(
    0,
    op('open', { to: 'outside', at: null, path: '/', flags: openFlags.PATH }),
    op('open', { to: 'proc', at: null, path: '/proc', flags: openFlags.PATH }),
    op('open', { to: 'root', at: null, path: '/proc/self/fd', flags: openFlags.PATH }),
    op('chroot', { root: 'proc' }),
    op('chdir', { path: '/self/fd/3' }),
  )
  // Descriptor 3 of the runner is the program, which is closed by then: `outside` takes its number.
  expectFailure(program, 'chdir', 'EXDEV')
})

test('prctl sets the option, and fails for one that there is not', () => {
  const noNewPrivileges = op('prctl', { option: prctl.NO_NEW_PRIVS, value: 1 })
  expect(expectDone(childProgram(0, noNewPrivileges, ...status('NoNewPrivs')))).toBe('1\n')
  expectFailure(hostProgram(op('prctl', { option: 9999, value: 0 })), 'prctl', 'EINVAL')
})

asRoot.test('bounding_set drops all but the given capabilities', () => {
  const keep = bit('CAP_KILL') | bit('CAP_CHECKPOINT_RESTORE')
  const shown = expectDone(childProgram(0, op('bounding_set', { keep }), ...status('CapBnd')))
  expect(BigInt(`0x${shown.trim()}`)).toBe(keep)
  expectFailure(
    childProgram(0, op('setuid', { uid: 65534 }), op('bounding_set', { keep: 0n })),
    'bounding_set',
    'EPERM',
  )
})

asRoot.test('capset and ambient_set give a user the capabilities that survive execve', () => {
  const wanted = bit('CAP_CHOWN') | bit('CAP_NET_RAW')
  const program = childProgram(
    0,
    op('prctl', { option: prctl.KEEPCAPS, value: 1 }),
    op('setuid', { uid: 65534 }),
    op('capset', { effective: wanted, permitted: wanted | bit('CAP_KILL'), inheritable: wanted }),
    op('ambient_set', { raise: bit('CAP_CHOWN') }),
    ...look('grep ^Cap /proc/self/status'),
  )
  const hex = (mask: bigint): string => mask.toString(16).padStart(16, '0')
  const shown = expectDone(program)
  expect(shown).toContain(`CapInh:\t${hex(wanted)}`)
  for (const set of ['Prm', 'Eff', 'Amb']) expect(shown).toContain(`Cap${set}:\t${hex(bit('CAP_CHOWN'))}`)
})

asRoot.test('capset gives no more than the process has', () => {
  const none = { effective: 0n, permitted: 0n, inheritable: 0n }
  const all = (1n << 41n) - 1n
  const program = childProgram(
    0,
    op('capset', none),
    op('capset', { effective: all, permitted: all, inheritable: all }),
    op('ambient_set', { raise: 0n }),
    op('prctl', { option: prctl.NO_NEW_PRIVS, value: 1 }),
    op('setuid', { uid: 0 }),
    ...look('sed -n "s/^CapInh:.//p" /proc/self/status'),
  )
  expect(expectDone(program)).toBe('0000000000000000\n')
})

asRoot.test('ambient_set fails for a capability that is not inheritable', () => {
  expectFailure(
    childProgram(0, op('capset', { effective: 0n, permitted: 0n, inheritable: 0n }), op('ambient_set', { raise: 1n })),
    'ambient_set',
    'EPERM',
  )
})

test('capset fails where the effective set is not to be had', () => {
  // The kernel refuses nothing that capset(2) is limited to, but where a seccomp filter forbids the call.
  expectFailure(childProgram(0, op('seccomp', forbid(126)), op('capset', nothing)), 'capset', 'EACCES')
})

asRoot.test('setgroups, setgid and setuid take away what they do not give', () => {
  const groups = new Uint8Array(Uint32Array.of(5, 65534).buffer)
  const program = childProgram(
    0,
    op('setgroups', { groups }),
    op('setgid', { gid: 100 }),
    op('setuid', { uid: 1000 }),
    ...look('grep -E "^(Uid|Gid|Groups)" /proc/self/status'),
  )
  expect(expectDone(program).replace(/ +$/gm, '').trim().split('\n')).toEqual([
    'Uid:\t1000\t1000\t1000\t1000',
    'Gid:\t100\t100\t100\t100',
    'Groups:\t5 65534',
  ])
  const asUser = op('setuid', { uid: 1000 })
  expectFailure(childProgram(0, asUser, op('setgroups', { groups })), 'setgroups', 'EPERM')
  expectFailure(childProgram(0, asUser, op('setgid', { gid: 5 })), 'setgid', 'EPERM')
  expectFailure(childProgram(0, asUser, op('setuid', { uid: 0 })), 'setuid', 'EPERM')
})

asRoot.test('chown_stdio gives the output to the user, so that /dev/stdout can be opened again', () => {
  const stdoutFile = join(directory, 'output')
  const program = (...steps: readonly Step[]): Program =>
    childProgram(0, ...steps, op('setuid', { uid: 1000 }), ...look('echo again > /proc/self/fd/1'))
  expect(execute(program(), { stdoutFile }).stderr).toContain('Permission denied')
  expectDone(program(op('chown_stdio', { uid: 1000 })), { stdoutFile })
  expect(readFileSync(stdoutFile, 'utf8')).toBe('again\n')
  expectFailure(childProgram(0, op('setuid', { uid: 1000 }), op('chown_stdio', { uid: 1000 })), 'chown_stdio', 'EPERM')
})

test('fchdir goes to a directory by descriptor', () => {
  const opened = op('open', { to: 'usr', at: null, path: '/usr', flags: openFlags.PATH })
  expect(expectDone(childProgram(0, opened, op('fchdir', { slot: 'usr' }), ...look('pwd')))).toBe('/usr\n')
  expectFailure(childProgram(0, opened, op('close', { slot: 'usr' }), op('fchdir', { slot: 'usr' })), 'fchdir', 'EBADF')
})

test('set_personality makes the machine look like another', () => {
  const linux32 = 0x0008
  expect(expectDone(childProgram(0, op('set_personality', { persona: linux32 }), ...look('uname -m')))).toMatch(
    /86|arm/,
  )
  expectFailure(
    childProgram(0, op('seccomp', forbid(135)), op('set_personality', { persona: linux32 })),
    'set_personality',
    'EACCES',
  )
})

const nothing = { effective: 0n, permitted: 0n, inheritable: 0n }

/** A filter that fails one system call of x86_64 with EACCES. */
function forbid(call: number): { filter: Uint8Array; flags: number; listener: string } {
  const instruction = (code: number, jt: number, jf: number, k: number): readonly number[] => [
    code & 0xff,
    code >> 8,
    jt,
    jf,
    k & 0xff,
    (k >> 8) & 0xff,
    (k >> 16) & 0xff,
    (k >>> 24) & 0xff,
  ]
  const filter = [
    instruction(0x20, 0, 0, 0), // load the number of the call
    instruction(0x15, 0, 1, call),
    instruction(0x06, 0, 0, 0x0005_000d), // return ERRNO(EACCES)
    instruction(0x06, 0, 0, 0x7fff_0000), // return ALLOW
  ]
  return { filter: Uint8Array.from(filter.flat()), flags: 0, listener: 'listener' }
}

asRoot.test('seccomp filters the calls of the process', () => {
  const nice = 141
  const program = childProgram(
    0,
    op('seccomp', forbid(nice)),
    ...look('renice -n 5 $$ >/dev/null 2>&1 || echo refused'),
  )
  expect(expectDone(program)).toBe('refused\n')
  expectFailure(childProgram(0, op('seccomp', { ...forbid(1), filter: new Uint8Array(8) })), 'seccomp', 'EINVAL')
})

test.each([
  ['root', 0, '/root'],
  ['a user without a home', 4_000_000, '/'],
])('default_home of %s', (_, uid, home) => {
  const env = ['A=1']
  const program = childProgram(
    0,
    op('default_home', { uid, env }),
    op('find_command', { name: '/usr/bin/env', path: '' }),
    op('execve', { argv: ['env'], env }),
  )
  expect(expectDone(program)).toBe(`A=1\nHOME=${home}\n`)
})

const passwdCases: [string, string, string][] = [
  ['a line without an end', 'app:x:1000:1000:::', '/'],
  ['a line cut short', 'app:x:1000', '/'],
  ['a name of digits', '1000:x:1:1::/wrong:\nb:x:1000:1::/right:/bin/sh', '/right'],
  ['a comment and an empty line', '\n#\napp:x:1000:1::/home/app', '/home/app'],
  ['a home that is too long', `app:x:1000:1::/${'h'.repeat(5000)}:`, '/'],
  ['binary rubbish', '\x01\xff:\x02', '/'],
]
asRoot.test.each(passwdCases)('default_home reads a passwd with %s', (_, passwd, home) => {
  writeFileSync(join(directory, 'passwd'), passwd)
  const env = ['A=1']
  const program = mountProgram(
    op('mount', {
      source: join(directory, 'passwd'),
      target: null,
      path: '/etc/passwd',
      type: null,
      flags: mountFlags.BIND,
      data: null,
    }),
    op('default_home', { uid: 1000, env }),
    op('find_command', { name: '/usr/bin/env', path: '' }),
    op('execve', { argv: ['env'], env }),
  )
  expect(expectDone(program)).toBe(`A=1\nHOME=${home}\n`)
})

asRoot.test('default_home fails where the passwd file cannot be read', () => {
  const link = mountProgram(
    op('mount', { source: directory, target: null, path: '/etc', type: null, flags: mountFlags.BIND, data: null }),
    op('seccomp', forbid(257)),
    op('default_home', { uid: 0, env: [] }),
  )
  // Whoever may not read it is given the default, as under runc.
  expectDone(link)
})

const commands: [string, string, string, string | undefined][] = [
  ['tool', '/nowhere:DIR/bin', 'DIR/bin/tool', undefined],
  ['tool', 'DIR/plain:DIR/bin', 'DIR/bin/tool', undefined],
  ['DIR/bin/tool', '', 'DIR/bin/tool', undefined],
  ['tool', 'DIR/plain', '', 'EACCES'],
  ['missing', 'DIR/bin:DIR/plain', '', 'ENOENT'],
  ['directory', 'DIR/bin', '', 'EACCES'],
  ['DIR/plain/tool', '', '', 'EACCES'],
  ['', 'DIR/bin', '', 'ENOENT'],
]
test.each(commands)('find_command %s in %s', (name, path, found, error) => {
  const inDirectory = (text: string): string => text.replaceAll('DIR', directory)
  for (const part of ['bin/directory', 'plain']) mkdirSync(join(directory, part), { recursive: true })
  writeFileSync(join(directory, 'bin/tool'), '#!/bin/sh\necho $0\n', { mode: 0o755 })
  writeFileSync(join(directory, 'plain/tool'), '', { mode: 0o644 })
  const find = op('find_command', { name: inDirectory(name), path: inDirectory(path) })
  const program = childProgram(0, find, op('execve', { argv: ['tool'], env: [] }))
  if (error === undefined) expect(expectDone(program)).toBe(`${inDirectory(found)}\n`)
  else expectFailure(program, 'find_command', error)
})

test('close_from leaves nothing open in the command but 0, 1 and 2', () => {
  const own = '/proc/[0-9]*/fd' // the directory that ls reads
  const program = childProgram(0, op('close_from', { first: 3 }), ...look('exec ls -l /proc/self/fd'))
  const open = expectDone(program)
    .split('\n')
    .filter((line) => line.includes('->') && !line.match(own))
  expect(open.map((line) => / (\d+) ->/.exec(line)?.[1])).toEqual(['0', '1', '2'])
  expectFailure(childProgram(0, op('seccomp', forbid(436)), op('close_from', { first: 3 })), 'close_from', 'EACCES')
})

test('without close_from the runner still leaks no descriptor of its own', () => {
  const open = expectDone(childProgram(0, ...look('exec ls -l /proc/self/fd')))
  expect(open).toContain('->')
  expect(open).not.toMatch(/memfd|program|anon_inode|bundle-tool/)
})

test('execve of what is no program says so on stderr and ends with 255', () => {
  writeFileSync(join(directory, 'script'), '#!/no/such/interpreter\n', { mode: 0o755 })
  const path = join(directory, 'script')
  const program = childProgram(0, op('find_command', { name: path, path: '' }), op('execve', { argv: [path], env: [] }))
  const { end, stderr } = execute(program)
  expect(stderr).toBe(`exec ${path}: no such file or directory\n`)
  expect(end).toBe(255)
})

test('execve gives the command every signal unblocked and the environment as it is', () => {
  const env = ['A=1', 'A=2', 'B=', 'with space=x\ny']
  const program = childProgram(
    0,
    op('find_command', { name: '/bin/cat', path: '' }),
    op('execve', { argv: ['cat', '/proc/self/environ', '/proc/self/status'], env }),
  )
  const shown = expectDone(program)
  expect(shown).toContain(`${env.join('\0')}\0`)
  expect(shown).toMatch(/^SigBlk:\t0+$/m)
  expect(shown).toMatch(/^SigIgn:\t0+$/m)
})

asRoot.test('set_scheduler, set_io_priority and set_affinity are seen in the process', () => {
  const batch = new Uint8Array(48)
  const view = new DataView(batch.buffer)
  view.setUint32(0, 48, true)
  view.setUint32(4, 3, true) // SCHED_BATCH
  view.setInt32(16, 19, true)
  const program = childProgram(
    0,
    op('set_scheduler', { attributes: batch }),
    op('set_io_priority', { value: (2 << 13) | 4 }),
    op('set_affinity', { cpus: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) }),
    ...look('chrt -p $$ | head -1; ionice -p $$; grep Cpus_allowed_list /proc/self/status'),
  )
  const shown = expectDone(program)
  expect(shown).toContain('SCHED_BATCH')
  expect(shown).toContain('best-effort: prio 4')
  expect(shown).toMatch(/Cpus_allowed_list:\t0\n/)
})

test.each([
  ['set_scheduler', op('set_scheduler', { attributes: new Uint8Array(48).fill(0xff) }), 'E2BIG'],
  ['set_io_priority', op('set_io_priority', { value: 7 << 13 }), 'EINVAL'],
  ['set_affinity', op('set_affinity', { cpus: new Uint8Array(8) }), 'EINVAL'],
  ['set_memory_policy', op('set_memory_policy', { mode: 99, nodes: new Uint8Array(0) }), 'EINVAL'],
] as const)('%s fails on what the kernel does not take', (name, step, error) => {
  expectFailure(childProgram(0, step), name, error)
})
