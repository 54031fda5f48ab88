import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import type { ConfigChanges } from '../../../src/bundle/changes/config-changes.ts'
import { withControllingTerminal } from '../../controlling-terminal.ts'
import { library } from '../../library.ts'
import { requires } from '../../requirements.ts'
import { callers, openFlagged } from './flagged.ts'

const { test } = requires('root', 'busybox')

describe.each(callers)('as %s', (_, uid) => {
  const flagged = openFlagged(uid)

  test('variables are set, taken from the caller, and removed', () => {
    const { place, see } = flagged()
    const file = ['\ufeff# a comment', 'FILE="as it is" # too', '', '  SPACE=x', 'WON=file', 'CALLER', 'NONE'].join(
      '\n',
    )
    writeFileSync(join(place.directory, 'variables'), file)
    const flags = [
      '--env-file',
      'variables',
      '-e',
      'A=b=c',
      '--env=EMPTY=',
      '-e',
      'CALLER',
      '-e',
      'TERM',
      '-e',
      'WON=e',
    ]
    expect(see(flags, 'unset PWD SHLVL HOME; env | sort', { CALLER: 'mine' }).split('\n')).toEqual([
      'A=b=c',
      'CALLER=mine',
      'EMPTY=',
      'FILE="as it is" # too',
      expect.stringMatching(/^PATH=/),
      'SPACE=x',
      'WON=e',
      '',
    ])
  })

  test('the directory, the host name and a rootfs that cannot be written to', () => {
    const { see } = flagged()
    const script = 'pwd; hostname; touch /x 2>&1 || true'
    expect(see(['-w', '/etc', '--hostname', 'host-1.test', '--read-only'], script)).toBe(
      '/etc\nhost-1.test\ntouch: /x: Read-only file system\n',
    )
    expect(see(['--read-only=false'], script)).toBe('/\nrunc\n')
  })

  test('the entrypoint stays before other words, and takes them along when it goes', () => {
    const { call, place } = flagged()
    const run = () => call(['run', '-b', 'bundle', place.id]).stdout
    const base = ['spec', '-b', 'bundle', '--no-tty', ...(uid === 0 ? [] : ['--rootless'])]
    expect(call([...base, '--entrypoint', '["echo","-n"]', '--', 'one'])).toMatchObject({ end: 0 })
    expect(run()).toBe('one')
    expect(call(['config', '-b', 'bundle', '--', 'two', '--', '-e'])).toMatchObject({ end: 0 })
    expect(run()).toBe('two -- -e')
    expect(call(['config', '-b', 'bundle', '--entrypoint', 'pwd'])).toMatchObject({ end: 0 })
    expect(run()).toBe('/\n')
    expect(call(['config', '-b', 'bundle', '--entrypoint', '', '--', 'echo', 'x'])).toMatchObject({ end: 0 })
    expect(run()).toBe('x\n')
    expect(call(['config', '-b', 'bundle', '--', 'echo', 'y'])).toMatchObject({ end: 0 })
    expect(run()).toBe('y\n')
    expect(call(['config', '-b', 'bundle', '--entrypoint='])).toEqual({
      end: 2,
      stdout: '',
      stderr: 'error: --entrypoint leaves nothing to run\n  hint: name a command behind "--"\n',
    })
    expect(run()).toBe('y\n')
  })

  test('a terminal is given and taken', () => {
    const { call, place } = flagged()
    call(['spec', '-b', 'bundle', ...(uid === 0 ? [] : ['--rootless']), '--', 'sh', '-c', 'tty; echo "$TERM"'])
    if (uid === 0) {
      const run = () => place.tool(['run', '-b', place.bundle, place.id], { under: withControllingTerminal }).stdout
      expect(run()).toBe('/dev/pts/0\nxterm\n')
    }
    expect(call(['config', '-b', 'bundle', '--tty=false'])).toMatchObject({ end: 0, stderr: '' })
    expect(call(['run', '-b', 'bundle', place.id])).toMatchObject({ stdout: 'not a tty\n\n' })
    call(['config', '-b', 'bundle', '-t'])
    expect(JSON.parse(readFileSync(join(place.bundle, 'config.json'), 'utf8')).process).toMatchObject({
      terminal: true,
      env: expect.arrayContaining(['TERM=xterm']),
    })
  })

  test('what --show prints makes the same config.json of the default one', () => {
    const { place, call } = flagged()
    const base = ['spec', '-b', 'bundle', ...(uid === 0 ? [] : ['--rootless'])]
    const flags = [
      '--no-tty',
      '-e',
      "QUOTE='",
      '-w',
      '/etc',
      '--hostname',
      'h',
      '--label',
      'a b=c',
      '--stop-signal=INT',
    ]
    call([...base, ...flags, '--entrypoint', 'echo', '--', 'a', "it's"])
    const read = () => readFileSync(join(place.bundle, 'config.json'), 'utf8')
    const before = read()
    const { stdout } = call(['config', '-b', 'bundle', '--show'])
    const shell = `for word in ${stdout.replaceAll('\n', ' ')}; do printf '%s\\0' "$word"; done`
    const words = execFileSync('/bin/sh', ['-c', shell], { encoding: 'utf8' }).split('\0').slice(0, -1)
    expect(JSON.parse(call(['config', '-b', 'bundle', '--show', '--json']).stdout)).toEqual(words)
    expect(call([...base, ...words])).toMatchObject({ end: 0, stderr: '' })
    expect(JSON.parse(read())).toEqual(JSON.parse(before))
  })

  test.each([
    [['-w', 'relative'], '--workdir \\"relative\\": it must be an absolute path'],
    [['-e', '=x'], '--env \\"=x\\": it names no variable'],
    [['-e', ''], '--env \\"\\": it names no variable'],
    [['--env-file', 'missing'], '--env-file \\"missing\\": it cannot be read: there is no such file'],
    [['--hostname', 'a/b'], '--hostname \\"a/b\\": it must be at most 64 letters'],
    [['--hostname='], '--hostname \\"\\": it must be'],
    [['--stop-signal', 'SIGNONE'], '--stop-signal \\"SIGNONE\\": unknown signal'],
    [['--annotation', 'a'], '--annotation \\"a\\": it must be NAME=value'],
    [['--label', 'bundle-tool.entrypoint=[]'], '--label \\"bundle-tool.entrypoint=[]\\": this name'],
    [['--entrypoint', '[1]'], '--entrypoint \\"[1]\\": it must be one word, or a JSON array'],
    [['-u', 'nobody-here'], '--user \\"nobody-here\\": image user \\"nobody-here\\" is not in the /etc/passwd'],
    [['--gpus', 'all'], 'flag provided but not defined: -gpus'],
    [['sh'], 'there is one operand too many: \\"sh\\"'],
  ])('%j is refused by its name', (flags, message) => {
    expect(flagged().refusal(...flags)).toContain(message)
  })
})

describe('users', () => {
  const flagged = openFlagged(0)
  const script = 'id; echo "$HOME"'

  test('names are those of the rootfs, and bring their groups and their home', () => {
    const { place, see, call } = flagged()
    writeFileSync(join(place.bundle, 'rootfs/etc/passwd'), 'root:x:0:0::/root:\nwww:x:33:44::/srv:\n')
    writeFileSync(join(place.bundle, 'rootfs/etc/group'), 'root:x:0:\nwww:x:44:\nlog:x:4:www\n')
    expect(see(['-u', 'www'], script)).toBe('uid=33(www) gid=44(www) groups=4(log)\n/srv\n')
    expect(see(['-u', 'www:log', '-e', 'HOME=/mine'], script)).toBe('uid=33(www) gid=4(log)\n/mine\n')
    expect(see(['-u', '7:8'], 'id -u; id -g; id -G')).toBe('7\n8\n8\n')
    expect(call(['config', '-b', 'bundle', '-u', 'root', '--', 'sh', '-c', script])).toMatchObject({ end: 0 })
    expect(call(['run', '-b', 'bundle', place.id]).stdout).toBe('uid=0(root) gid=0(root)\n/root\n')
  })
})

describe('a user namespace', () => {
  const flagged = openFlagged(54_321)

  test('has no other user than the caller', () => {
    expect(flagged().refusal('-u', '33')).toContain(
      '--user \\"33\\": the container\'s user namespace has no id for 33:0',
    )
  })
})

describe('config.json', () => {
  const flagged = openFlagged(0)
  const path = () => join(flagged().place.bundle, 'config.json')

  test('keeps what no flag is about: members, their order, their form, the owner and the permissions', () => {
    const { call } = flagged()
    const text = `{
   "x": {"process": null, "big": 18446744073709551615},
   "Process": {"zzz": 1, "cwd": "/", "args": ["sh"], "terminal": false, "user": null, "env": ["A=1", "B=2"]},
   "linux": {"future": [1, null], "namespaces": [{"type": "uts", "mine": true}]},
   "root": {"path": "rootfs", "note": "x"},
   "ociVersion": "1.0.2"
}
`
    writeFileSync(path(), text)
    chmodSync(path(), 0o640)
    execFileSync('chown', ['77:78', path()])
    expect(call(['config', '-b', 'bundle', '-e', 'A=3', '--read-only', '--hostname', 'h'])).toMatchObject({
      end: 0,
      stderr: '',
    })
    const changed = readFileSync(path(), 'utf8')
    expect(changed).toMatch(/^\{\n {3}"x": \{\n {6}"process": null,\n {6}"big": 18446744073709551615\n.*\}\n$/s)
    expect(JSON.stringify(JSON.parse(changed))).toBe(
      JSON.stringify({
        x: { process: null, big: 2 ** 64 },
        Process: { zzz: 1, cwd: '/', args: ['sh'], terminal: false, user: null, env: ['A=3', 'B=2'] },
        linux: { future: [1, null], namespaces: [{ type: 'uts', mine: true }] },
        root: { path: 'rootfs', note: 'x', readonly: true },
        ociVersion: '1.0.2',
        hostname: 'h',
      }),
    )
    const { mode, uid, gid } = statSync(path())
    expect([mode & 0o777, uid, gid]).toEqual([0o640, 77, 78])
  })

  test('stays as it is, to the byte, when one of several flags is refused', () => {
    const { call } = flagged()
    call(['spec', '-b', 'bundle'])
    const before = readFileSync(path(), 'utf8')
    expect(call(['config', '-b', 'bundle', '-e', 'A=b', '-w', 'x'])).toMatchObject({ end: 2 })
    expect(call(['config', '-b', 'bundle'])).toMatchObject({
      end: 2,
      stderr: expect.stringContaining('nothing to change'),
    })
    expect(call(['config', '-b', 'bundle', '--show', '-t'])).toMatchObject({ end: 2 })
    expect(readFileSync(path(), 'utf8')).toBe(before)
  })

  test('may be a link, which stays', () => {
    const { call, place } = flagged()
    call(['spec', '-b', 'bundle'])
    execFileSync('mv', [path(), join(place.directory, 'real.json')])
    symlinkSync('../real.json', path())
    expect(call(['config', '-b', 'bundle', '-e', 'A=b'])).toMatchObject({ end: 0, stderr: '' })
    expect(readFileSync(join(place.directory, 'real.json'), 'utf8')).toContain('"A=b"')
  })

  test('is changed by a program as by flags', async () => {
    const { call, place } = flagged()
    const { bundle } = place
    call(['spec', '-b', 'bundle'])
    await library.config({ bundle, changes: { env: ['A=b'], tty: false, args: ['sh', '-c', 'echo "$A"'] } })
    expect(call(['run', '-b', 'bundle', place.id]).stdout).toBe('b\n')
    expect(await library.showConfig({ bundle })).toEqual(expect.arrayContaining(['--env=A=b', '--no-tty', '--']))
    const wrong = async (changes: object) => library.config({ bundle, changes: changes as ConfigChanges })
    await expect(wrong({ evn: [] })).rejects.toMatchObject({ code: 'ERR_USAGE', message: 'there is no change "evn"' })
    await expect(wrong({ env: 'A=b' })).rejects.toThrow('the change "env" must be an array of strings')
    await expect(wrong({ workdir: '/a\0' })).rejects.toThrow('the change "workdir" is no text: "/a\\u0000"')
    await expect(wrong({ tty: 'yes' })).rejects.toThrow('the change "tty" must be true or false')
  })
})

describe('an image', () => {
  const flagged = openFlagged(0)

  test('has its entrypoint and its user changed when it is unpacked, and what it has none of is no error', () => {
    const { place, call } = flagged()
    const archive = join(import.meta.dirname, '../../../fixtures/busybox.tar')
    expect(call(['copy', `oci-archive:${archive}`, 'oci:images:old'])).toMatchObject({ end: 0 })
    call(['unpack', 'oci:images:old', '--out', 'base'])
    const changes = ['ENTRYPOINT ["echo","image"]', 'CMD ["cmd"]', 'USER gone'].flatMap((line) => ['-c', line])
    const repacked = call(['repack', 'base', '--image', 'oci:images:new', '--base', 'oci:images:old', ...changes])
    expect(repacked).toMatchObject({ end: 0 })
    const made = (...words: readonly string[]) =>
      call(['unpack', 'oci:images:new', '--force', '--out', 'made', ...words])
    expect(made()).toMatchObject({ end: 1, stderr: expect.stringContaining('image user "gone"') })
    const run = (...words: readonly string[]) => {
      expect(made('--no-tty', '-u', '0', ...words)).toMatchObject({ end: 0 })
      return call(['run', '-b', 'made', place.id]).stdout
    }
    expect(run()).toBe('image cmd\n')
    expect(run('--', 'other')).toBe('image other\n')
    expect(run('--entrypoint', 'pwd')).toBe('/\n')
    expect(made('-w', 'x')).toMatchObject({ end: 2, stderr: expect.stringContaining('--workdir "x": ') })
  })
})
