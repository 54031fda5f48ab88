import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { buildTool } from '../../c-tool.ts'
import { requires } from '../../requirements.ts'
import { callers, type Flagged, openFlagged } from './flagged.ts'

const { test } = requires('root', 'busybox', 'gcc', 'unshare', 'setpriv', 'x86_64')

const tool = join(import.meta.dirname, '../../../dist/bundle-tool')
const calls = buildTool(join(import.meta.dirname, 'system-calls.c'), '-static')

/** The capabilities of a bundle that was made of an image, beside those of `spec`. */
const image = 'CHOWN,DAC_OVERRIDE,FOWNER,FSETID,SETGID,SETUID,SETPCAP,NET_RAW,SYS_CHROOT,MKNOD,SETFCAP'
const asImages = image.split(',').map((name) => `--cap-add=${name}`)

/** Calls the tool as the caller where no containers-common is installed. */
function withoutEngines({ place }: Flagged, uid: number, words: readonly string[]): void {
  const hide = 'for d in /usr/share/containers /etc/containers; do mkdir -p $d && mount -t tmpfs none $d; done'
  const become = `exec setpriv --reuid=${uid} --regid=${uid} --clear-groups -- "$@"`
  const args = ['-m', 'sh', '-ec', `${hide}; ${become}`, 'sh', tool, '--root', place.root, ...words]
  const { status, stderr } = spawnSync('unshare', args, { cwd: place.directory, encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
}

type Errors = Readonly<Record<string, string>>

/** The errors of system calls, by their names, in a container of the bundle. */
function errorsIn({ place, call }: Flagged): Errors {
  cpSync(calls(), join(place.bundle, 'rootfs/calls'))
  const { end, stdout, stderr } = call(['run', '-b', 'bundle', place.id])
  expect({ end, stderr }).toEqual({ end: 0, stderr: '' })
  const lines = stdout.trim().split('\n')
  return Object.fromEntries(lines.map((line) => line.split(/ (?=\S+$)/)))
}

const specOf = (uid: number, flags: readonly string[]): readonly string[] => {
  const base = ['spec', '-b', 'bundle', '--no-tty', '--no-read-only', ...(uid === 0 ? [] : ['--rootless'])]
  return [...base, ...asImages, ...flags, '--', '/calls']
}

/** All that docker's profile denies as well; the kernel has another error for each of these calls, as they are made. */
const denied: readonly string[] = [
  ...['mount', 'umount2', 'unshare', 'clone', 'setns', 'fsopen', 'keyctl', 'add_key', 'request_key', 'bpf'],
  ...['io_uring_setup', 'userfaultfd', 'perf_event_open', 'open_by_handle_at', 'init_module', 'kcmp', 'get_mempolicy'],
  ...['personality 0x40000', 'socket 38', 'socket 40'],
]

describe.each(callers)('as %s', (_, uid) => {
  const flagged = openFlagged(uid)

  test("the tool's own profile denies what docker's does, and nothing else", () => {
    withoutEngines(flagged(), uid, specOf(uid, ['--security-opt', 'seccomp=default']))
    const errors = errorsIn(flagged())
    for (const name of denied) expect([name, errors[name]]).toEqual([name, 'EPERM'])
    expect(errors).toMatchObject({ clone3: 'ENOSYS', newer: 'ENOSYS' })
    expect(flagged().call(specOf(uid, ['--security-opt', 'seccomp=unconfined'])).end).toBe(0)
    const unconfined = errorsIn(flagged())
    const others = Object.entries(errors).filter(([name]) => !denied.includes(name) && name !== 'clone3')
    expect(Object.fromEntries(others)).toEqual(Object.fromEntries(others.map(([name]) => [name, unconfined[name]])))
    // Without the filter it is the kernel that says something else.
    const open = denied.filter((name) => unconfined[name] !== 'EPERM')
    expect(open).toEqual(expect.arrayContaining(['mount', 'unshare', 'clone', 'keyctl', 'add_key', 'io_uring_setup']))
  })

  test('a capability opens the system calls that are for it', () => {
    const rights = ['SYS_ADMIN', 'SYS_PTRACE', 'SYS_MODULE'].map((name) => `--cap-add=${name}`)
    withoutEngines(flagged(), uid, specOf(uid, [...rights, '--security-opt=seccomp=default']))
    const errors = errorsIn(flagged())
    for (const name of ['mount', 'unshare', 'clone', 'setns', 'kcmp'])
      expect([name, errors[name]]).not.toContain('EPERM')
    for (const name of ['keyctl', 'add_key', 'io_uring_setup']) expect([name, errors[name]]).toEqual([name, 'EPERM'])
  })
})

describe('where containers-common is installed', () => {
  const flagged = openFlagged(0)
  const engines = requires('root', 'busybox', '/usr/share/containers/seccomp.json').test
  const filterOf = (): unknown =>
    JSON.parse(readFileSync(join(flagged().place.bundle, 'config.json'), 'utf8')).linux?.seccomp

  engines('the default is its profile, which follows the capabilities', () => {
    const { call } = flagged()
    const spec = (opt: string, ...flags: readonly string[]): unknown => {
      expect(call(specOf(0, [`--security-opt=seccomp=${opt}`, ...flags])).end).toBe(0)
      return filterOf()
    }
    const plain = spec('default')
    expect(plain).toEqual(spec('/usr/share/containers/seccomp.json'))
    const admin = spec('default', '--cap-add=SYS_ADMIN')
    expect(admin).not.toEqual(plain)
    spec('default')
    expect(call(['config', '-b', 'bundle', '--show']).stdout).toContain('--security-opt=seccomp=default\n')
    expect(call(['config', '-b', 'bundle', '--cap-add=SYS_ADMIN']).end).toBe(0)
    expect(filterOf()).toEqual(admin)
    expect(call(['config', '-b', 'bundle', '--show']).stdout).toContain('--security-opt=seccomp=default\n')
    expect(call(['config', '-b', 'bundle', '--security-opt', 'seccomp=unconfined']).end).toBe(0)
    expect(call(['config', '-b', 'bundle', '--show']).stdout).not.toContain('seccomp')
  })
})

describe('where containers.conf names a profile', () => {
  const profile = (call: string): string =>
    JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: [call], action: 'SCMP_ACT_ERRNO' }] })
  const lookUp = (where: string, name: string): string => `${where}/containers/${name}`

  describe.each(callers)('as %s', (_, uid) => {
    const flagged = openFlagged(uid)
    const filterOf = (env: Readonly<Record<string, string>>): unknown => {
      expect(flagged().call(specOf(uid, ['--security-opt', 'seccomp=default']), env)).toMatchObject({
        end: 0,
        stderr: '',
      })
      const { linux } = JSON.parse(readFileSync(join(flagged().place.bundle, 'config.json'), 'utf8'))
      return linux?.seccomp
    }

    test('it is the default, the last one that is named, and unconfined is no filter', () => {
      const { directory } = flagged().place
      const [home, only] = [join(directory, 'home'), join(directory, 'only.conf')]
      mkdirSync(lookUp(home, 'containers.conf.d'), { recursive: true })
      writeFileSync(lookUp(home, 'own.json'), profile('mkdir'))
      const named = (path: string): string => `[containers]\nseccomp_profile = "${path}"\n`
      writeFileSync(lookUp(home, 'containers.conf'), named('/missing.json'))
      writeFileSync(lookUp(home, 'containers.conf.d/10.conf'), named(lookUp(home, 'own.json')))
      writeFileSync(lookUp(home, 'containers.conf.d/20.conf'), '# seccomp_profile = "/other.json"\n[containers]\n')
      // The files of root's home do not decide what root's containers may do.
      const byUser = filterOf({ XDG_CONFIG_HOME: home })
      if (uid === 0) expect(byUser).toEqual(filterOf({}))
      else expect(byUser).toMatchObject({ syscalls: [{ names: ['mkdir'] }] })
      writeFileSync(lookUp(home, 'other.json'), profile('rmdir'))
      writeFileSync(only, named(lookUp(home, 'other.json')))
      expect(filterOf({ XDG_CONFIG_HOME: home, CONTAINERS_CONF: only })).toMatchObject({
        syscalls: [{ names: ['rmdir'] }],
      })
      writeFileSync(only, named('unconfined'))
      expect(filterOf({ CONTAINERS_CONF: only })).toEqual({ defaultAction: 'SCMP_ACT_ALLOW' })
      writeFileSync(only, '[containers]\nseccomp_profile = 5 5\n')
      const { end, stderr } = flagged().call(specOf(uid, ['--security-opt', 'seccomp=default']), {
        CONTAINERS_CONF: only,
      })
      expect([end, stderr]).toEqual([1, expect.stringContaining('containers.conf is not TOML')])
    })
  })
})
