import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { requires } from '../../requirements.ts'
import { callers, openFlagged } from './flagged.ts'

const { test } = requires('root', 'busybox')
const archive = join(import.meta.dirname, '../../../fixtures/busybox.tar')

describe.each(callers)('a bundle of an image made by %s', (_, uid) => {
  const flagged = openFlagged(uid)

  test('has the rights that engines give', () => {
    const { place, call } = flagged()
    const script =
      'grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status | cut -f2; ulimit -n; touch /made && ls /made'
    expect(call(['unpack', archive, '--no-tty', '--out', 'made', '--', 'sh', '-c', script])).toMatchObject({ end: 0 })
    const own = spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).stdout.trim()
    // docker run --rm alpine grep Cap /proc/self/status
    const docker = '00000000a80425fb'
    expect(call(['run', '-b', 'made', place.id])).toEqual({
      end: 0,
      stdout: `${docker}\n${docker}\n0\n${own}\n/made\n`,
      stderr: '',
    })
    expect(call(['config', '-b', 'made', '--show']).stdout).not.toMatch(/^--(cap-|ulimit|security-opt)/m)
  })
})

describe('root of an image', () => {
  const flagged = openFlagged(0)

  test('gives files away, becomes somebody else, and others gain rights by set-user-ID programs', () => {
    const { place, call } = flagged()
    expect(call(['unpack', archive, '--no-tty', '--out', 'made'])).toMatchObject({ end: 0 })
    const rootfs = join(place.directory, 'made/rootfs')
    writeFileSync(join(rootfs, 'etc/passwd'), 'root::0:0::/:/bin/sh\nme:x:77:78::/:/bin/sh\n')
    writeFileSync(join(rootfs, 'etc/group'), 'root:x:0:\nme:x:78:\n')
    mkdirSync(join(rootfs, 'set-user-id'))
    cpSync('/bin/busybox', join(rootfs, 'set-user-id/su'))
    chmodSync(join(rootfs, 'set-user-id/su'), 0o4755)
    const script = [
      'rm -f /file /null; touch /file; chown me:me /file; stat -c %u:%g /file',
      `su me -c "id -un; /set-user-id/su -c 'id -u'"`,
      'mknod /null c 1 3; chroot / sh -c "echo > /null" && echo chroot',
    ].join('; ')
    const run = (...flags: readonly string[]) => {
      expect(call(['config', '-b', 'made', ...flags, '--', 'sh', '-c', script])).toMatchObject({ end: 0 })
      return call(['run', '-b', 'made', place.id]).stdout
    }
    expect(run()).toBe('77:78\nme\n0\nchroot\n')
    expect(run('--security-opt', 'no-new-privileges')).toBe('77:78\nme\nchroot\n')
    expect(run('--cap-drop', 'ALL')).toBe('0:0\n')
  })
})
