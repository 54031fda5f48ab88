import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { capabilityNames } from '../../../src/program/flags.ts'
import { requires } from '../../requirements.ts'
import { callers, openFlagged } from './flagged.ts'

const { test } = requires('root', 'busybox')

/** The capabilities of a mask that /proc/PID/status has, without their prefix. */
function namesOf(mask: string): readonly string[] {
  const bits = BigInt(`0x${mask.trim()}`)
  return capabilityNames.filter((_, bit) => (bits >> BigInt(bit)) & 1n).map((name) => name.slice('CAP_'.length))
}

const lastCapability = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'))

const masks = 'grep -E "^Cap(Bnd|Eff|Prm)" /proc/self/status | cut -f2'

describe.each(callers)('as %s', (_, uid) => {
  const flagged = openFlagged(uid)
  const capabilities = (...flags: readonly string[]) => {
    const [permitted = '', effective, bounding] = flagged().see(flags, masks).split('\n')
    expect([effective, bounding]).toEqual([permitted, permitted])
    return [...namesOf(permitted)].sort()
  }

  test('capabilities are added and dropped', () => {
    expect(capabilities()).toEqual(['AUDIT_WRITE', 'KILL', 'NET_BIND_SERVICE'])
    expect(capabilities('--cap-add', 'chown', '--cap-drop=CAP_KILL')).toEqual([
      'AUDIT_WRITE',
      'CHOWN',
      'NET_BIND_SERVICE',
    ])
    expect(capabilities('--cap-add', 'CHOWN', '--cap-drop', 'all')).toEqual(['CHOWN'])
    expect(capabilities('--cap-drop', 'ALL')).toEqual([])
  })

  test('programs gain rights, or not', () => {
    const script = 'grep NoNewPrivs /proc/self/status | cut -f2'
    expect(flagged().see([], script)).toBe('1\n')
    expect(flagged().see(['--security-opt', 'no-new-privileges=false'], script)).toBe('0\n')
    expect(flagged().see(['--security-opt=no-new-privileges'], script)).toBe('1\n')
  })

  test('system calls are filtered by a profile for this machine and for the capabilities', () => {
    const { place, see } = flagged()
    const only = (includes: object, names: readonly string[], more: object = {}) => ({
      names,
      action: 'SCMP_ACT_ERRNO',
      errnoRet: 1,
      args: [],
      comment: 'x',
      includes,
      excludes: {},
      ...more,
    })
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
      syscalls: [
        only({}, ['mkdir', 'mkdirat'], { errnoRet: undefined, errno: 'EXDEV' }),
        only({ caps: ['CAP_CHOWN'] }, ['rmdir', 'unlinkat']),
        only({ arches: ['s390x'] }, ['symlink', 'symlinkat']),
        only({}, ['link', 'linkat'], { excludes: { caps: ['CAP_KILL'] } }),
        only({ minKernel: '99.1' }, ['rename', 'renameat', 'renameat2']),
      ],
    }
    writeFileSync(join(place.directory, 'profile.json'), JSON.stringify(profile))
    const script = 'cd /dev/shm; mkdir a; touch b; ln -s b c && ln b d && mv b e && rm e; ls'
    const opt = ['--security-opt', 'seccomp=profile.json', '--read-only']
    expect(see(opt, `{ ${script}; } 2>&1`)).toBe("mkdir: can't create directory 'a': Invalid cross-device link\nc\nd\n")
    const other = see([...opt, '--cap-add', 'CHOWN', '--cap-drop', 'KILL'], `{ ${script}; } 2>&1`)
    expect(other).toContain('ln: d: Operation not permitted')
    expect(see(['--security-opt', 'seccomp=unconfined'], 'mkdir /dev/shm/a && echo made')).toBe('made\n')
  })

  test('--privileged hides nothing and gives every right that there is', () => {
    const { place, call } = flagged()
    const base = ['spec', '-b', 'bundle', '--no-tty', ...(uid === 0 ? [] : ['--rootless']), '--privileged']
    const script = `${masks} | sort -u; grep -c " /proc/" /proc/mounts; ls /dev | wc -l`
    expect(call([...base, '--', 'sh', '-c', script])).toMatchObject({ end: 0, stderr: '' })
    // A right that the caller does not have is a warning.
    const { stdout, stderr } = call(['run', '-b', 'bundle', place.id])
    const [mask = '', hidden, devices] = stdout.split('\n')
    expect(stderr.split('\n').filter((line) => !/level=warning.*CAP_|^$/.test(line))).toEqual([])
    expect(hidden).toBe('0')
    const own = readFileSync('/proc/self/status', 'utf8').match(/^CapBnd:\t(.*)$/m)?.[1] ?? ''
    // In a user namespace there are all.
    expect(namesOf(mask)).toEqual(uid === 0 ? namesOf(own) : namesOf('1ffffffffff').slice(0, lastCapability + 1))
    if (uid === 0) expect(Number(devices)).toBeGreaterThan(readdirSync('/dev').length - 10)
  })

  test.each([
    [['--cap-add', 'FLY'], '--cap-add \\"FLY\\": there is no such capability'],
    [['--cap-add', 'CHOWN', '--cap-drop', 'cap_chown'], 'CHOWN is given with --cap-add and with --cap-drop'],
    [['--security-opt', 'label=disable'], '--security-opt \\"label=disable\\": there is no such option'],
    [['--security-opt', 'seccomp=missing'], '--security-opt \\"seccomp=missing\\": it cannot be read'],
    [['--security-opt', 'seccomp=/etc/passwd'], 'the profile is not JSON'],
    [['--security-opt', 'no-new-privileges=perhaps'], 'it must be true or false'],
  ])('%j is refused by its name', (flags, message) => {
    expect(flagged().refusal(...flags)).toContain(message)
  })
})

describe('the profile of containers-common', () => {
  const flagged = openFlagged(0)

  requires('root', 'busybox', '/usr/share/containers/seccomp.json').test('is taken as it is', () => {
    const opt = ['--security-opt', 'seccomp=/usr/share/containers/seccomp.json']
    const script = 'grep "^Seccomp:" /proc/self/status | cut -f2; unshare -m true 2>&1 || true'
    expect(flagged().see(opt, script)).toBe('2\nunshare: unshare(0x20000): Operation not permitted\n')
  })
})
