import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { requires } from '../../requirements.ts'
import { callers, openFlagged } from './flagged.ts'

const { test } = requires('root', 'busybox')

describe.each(callers)('as %s', (_, uid) => {
  const flagged = openFlagged(uid)

  function makeSource() {
    const { place, call } = flagged()
    // As the caller, whose files they are.
    expect(call(['spec', '-b', 'bundle'])).toMatchObject({ end: 0 })
    mkdirSync(join(place.directory, 'source'), { mode: 0o777 })
    writeFileSync(join(place.directory, 'source/file'), 'content\n')
    return place
  }

  test('a directory and a file of the host are there, to be written to or not', () => {
    const place = makeSource()
    const mounts = ['-v', './source:/a/b', '-v', `${place.directory}/source/file:/c:ro,z`]
    const script = 'cat /a/b/file /c; echo x >/c; grep -o " /a/b \\| /c .* ro" /proc/mounts | cut -d" " -f2'
    expect(flagged().see(mounts, `{ ${script}; } 2>&1`).split('\n')).toEqual([
      'content',
      'content',
      "sh: can't create /c: Read-only file system",
      '/a/b',
      '/c',
      '',
    ])
    if (uid !== 0) return
    flagged().see(['--mount', 'type=bind,src=source/,"dst=/m,n"'], 'echo made >"/m,n/made"')
    expect(readFileSync(join(place.directory, 'source/made'), 'utf8')).toBe('made\n')
  })

  test('a mount below another one is made after it', () => {
    makeSource()
    const mounts = ['-v', './source:/top/below', '--tmpfs', '/top', '--read-only=false']
    expect(flagged().see(mounts, 'cat /top/below/file')).toBe('content\n')
  })

  test('memory is mounted, of a size, and /dev/shm has one', () => {
    const flags = [
      '--tmpfs',
      '/t:size=1m,mode=0700,exec',
      '--mount',
      'type=tmpfs,dst=/u,tmpfs-size=2m',
      '--shm-size',
      '3M',
    ]
    const script = 'for d in /t /u /dev/shm; do grep " $d " /proc/mounts; done; stat -c %a /t'
    const [t, u, shm, mode] = flagged().see(flags, script).split('\n')
    expect(t).toMatch(/rw,nosuid,nodev,relatime,size=1024k/)
    expect(u).toMatch(/rw,nosuid,nodev,noexec,relatime,size=2048k/)
    expect(shm).toMatch(/nosuid,nodev,noexec,relatime,size=3072k/)
    expect(mode).toBe('700')
  })

  test('what --show prints makes the same mounts', () => {
    const { place, call } = flagged()
    makeSource()
    const base = ['spec', '-b', 'bundle', ...(uid === 0 ? [] : ['--rootless'])]
    const flags = [
      '-v',
      './source:/a:ro,nosuid',
      '--tmpfs',
      '/t:exec,ro,size=1m',
      '--shm-size',
      '1m',
      '--device',
      '/dev/null',
    ]
    expect(call([...base, ...flags])).toMatchObject({ end: 0, stderr: '' })
    const before = readFileSync(join(place.bundle, 'config.json'), 'utf8')
    const words = JSON.parse(call(['config', '-b', 'bundle', '--show', '--json']).stdout)
    expect(words).toEqual(
      expect.arrayContaining([`--volume=${place.directory}/source:/a:ro,nosuid`, '--device=/dev/null']),
    )
    expect(call([...base, ...words])).toMatchObject({ end: 0, stderr: '' })
    expect(readFileSync(join(place.bundle, 'config.json'), 'utf8').length).toBe(before.length)
  })

  test.each([
    [['-v', 'data:/x'], 'the source is the name of a volume'],
    [['-v', '/data'], "a volume without a source is an engine's"],
    [['-v', './missing:/x'], 'there is no \\"'],
    [['-v', '/tmp:x'], 'the target \\"x\\" must be an absolute path'],
    [['-v', '/tmp:/x/..'], 'the target must not be the rootfs itself'],
    [['-v', '/tmp:/x:U'], 'there is no option \\"U\\" for it'],
    [['-v', '/tmp:/x:ro,rw'], '\\"ro\\" and \\"rw\\" exclude each other'],
    [['-v', '/tmp:/x', '--tmpfs', '/x/'], 'two mounts are to be at \\"/x\\"'],
    [['--mount', 'src=data,dst=/x'], '--mount \\"src=data,dst=/x\\": a volume is an engine\'s'],
    [['--mount', 'type=bind,src=/tmp,dst=/x,volume-nocopy'], 'type=bind has no \\"volume-nocopy\\"'],
    [['--mount', 'type=devpts,dst=/x'], 'there is no type \\"devpts\\"'],
    [['--tmpfs', '/x:size=1q'], '\\"size=1q\\" is no option of it'],
    [['--shm-size', '0'], '--shm-size \\"0\\": it must be a number of bytes above 0'],
    [['--device', '/dev/missing'], 'there is no \\"/dev/missing\\" on this host'],
    [['--device', '/etc/passwd'], '\\"/etc/passwd\\" is no device'],
    [['--device', '/dev/null:/dev/x:rwx'], '\\"rwx\\" must be letters of \\"rwm\\"'],
  ])('%j is refused by its name', (flags, message) => {
    expect(flagged().refusal(...flags)).toContain(message)
    expect(existsSync(join(flagged().place.bundle, 'config.json'))).toBe(false)
  })
})

describe('devices', () => {
  const flagged = openFlagged(0)

  test('a device of the host is there, under another name, with these rights and no others', () => {
    const script = 'stat -c "%t:%T" /dev/x; head -c 1 /dev/x | wc -c'
    expect(flagged().see(['--device', '/dev/zero:/dev/x'], script)).toBe('1:5\n1\n')
    // The default rules allow all of /dev/zero: a device that they do not know shows the rights.
    const denied = 'head: /dev/x: Operation not permitted\n'
    expect(flagged().see(['--device', '/dev/loop0:/dev/x:m'], 'head -c 1 /dev/x 2>&1 || true')).toBe(denied)
  })
})
