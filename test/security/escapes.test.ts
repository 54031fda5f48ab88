// Each way in which a container of some runtime reached its host, tried here. docs/security.md lists them.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { defaultConfig } from '../../src/bundle/default-config.ts'
import type { Mount } from '../../src/oci/runtime-config.ts'
import { type ConfigChange, ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'nsenter')

let place: ContainerPlace
let host = ''
beforeEach(() => {
  place = new ContainerPlace()
  host = join(place.directory, 'host')
  mkdirSync(host)
  writeFileSync(join(host, 'file'), "the host's\n")
})
afterEach(() => place.close())

const inRootfs = (...names: readonly string[]): string => join(place.bundle, 'rootfs', ...names)

/** The default mounts but for those, and more of them. */
function mounts(without: readonly string[], ...more: readonly Mount[]): readonly Mount[] {
  const all = defaultConfig({ rootless: false, cgroupNamespace: false, uid: 0, gid: 0 }).mounts ?? []
  return [...all.filter(({ destination }) => !without.some((path) => destination.startsWith(path))), ...more]
}

/** Nothing in the host's directory is new, changed or mounted on. */
function expectHostUntouched(): void {
  expect(readdirSync(host)).toEqual(['file'])
  expect(readFileSync(join(host, 'file'), 'utf8')).toBe("the host's\n")
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(host)
}

/** A created container that waits for its start; the pid of its first process. */
function created(change: ConfigChange = {}): number {
  place.configure('exec sleep 1000', change)
  expect(place.tool(['create', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
  return JSON.parse(place.tool(['state', place.id]).stdout).pid
}

test('CVE-2016-9962: a process of the container sees no descriptors of one that is being set up', () => {
  const pid = created()
  const fds = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
  // No more of the host's tree is open than the start needs, and nobody may follow these.
  const outside = fds.filter((target) => target.startsWith('/') && !target.startsWith(place.directory))
  expect(outside.filter((target) => !/^\/dev\/null$|^\/$|^\/memfd:/.test(target))).toEqual([])
  const script =
    'for f in /proc/1/fd/*; do readlink $f; ls $f/1; done; readlink /proc/1/exe; cat /proc/1/maps /proc/1/root/x'
  const { stdout, stderr } = place.tool(['exec', place.id, 'sh', '-c', script])
  expect(stdout).toBe('')
  expect(stderr).toContain('Permission denied')
})

test('CVE-2016-9962: where they may be followed, for CAP_SYS_PTRACE, they lead nowhere', () => {
  const granted = ['CAP_SYS_PTRACE']
  created({ process: { capabilities: { bounding: granted, effective: granted, permitted: granted } } })
  const ways = ['', '/..', '/../..', '/../../..', '/../../../..'].map((up) => `$f${up}/$d`).join(' ')
  const script = `for f in /proc/1/fd/*; do readlink $f; for d in sys proc etc self; do ls -d ${ways}; done; done`
  const { stdout } = place.tool(['exec', place.id, 'sh', '-c', script])
  expect(stdout).toContain('exec.fifo\n')
  expect(stdout.split('\n').filter((line) => line.startsWith('/proc/1/fd/'))).toEqual([])
})

test('CVE-2019-5736: what runs in the container is a sealed copy, which nobody else runs', () => {
  const runner = join(import.meta.dirname, '../../dist/bundle-tool-runner')
  const before = readFileSync(runner)
  const pid = created()
  expect(readlinkSync(`/proc/${pid}/exe`)).toMatch(/^\/memfd:/)
  const exe = openSync(`/proc/${pid}/exe`, 'r')
  expect(place.tool(['delete', '--force', place.id])).toMatchObject({ end: 0 })
  // As root of the host, with nobody running it any more: only the seal is left to refuse.
  const again = openSync(`/proc/self/fd/${exe}`, 'r+')
  expect(() => writeSync(again, 'overwritten')).toThrow(/EPERM/)
  closeSync(again)
  closeSync(exe)
  expect(readFileSync(runner).equals(before)).toBe(true)
})

requires('root', 'busybox', 'unshare', '/proc/sys/vm/memfd_noexec').test.each<readonly [number, RegExp]>([
  [1, /^\/memfd:bundle-tool-runner \(deleted\)$/m],
  [2, /^\/run\/#\d+ \(deleted\)$/m],
])('CVE-2019-5736: there is a copy where memory is not to be executed (vm.memfd_noexec %i)', (value, copy) => {
  const script = `echo ${value} > /proc/sys/vm/memfd_noexec && exec "$@"` // of its own PID namespace alone
  const under = ['unshare', '--pid', '--fork', '--mount-proc', 'sh', '-c', script, 'sh']
  const { namespaces = [] } = defaultConfig({ rootless: false, cgroupNamespace: false, uid: 0, gid: 0 }).linux ?? {}
  const granted = ['CAP_SYS_PTRACE']
  place.configure('for p in /proc/[0-9]*; do readlink $p/exe; done', {
    process: { capabilities: { bounding: granted, effective: granted, permitted: granted } },
    linux: { namespaces: namespaces.filter(({ type }) => type !== 'pid') },
  })
  const { end, stdout } = place.tool(['run', '-b', place.bundle, place.id], { under })
  expect(end).toBe(0)
  expect(stdout).toMatch(copy)
  expect(stdout).not.toMatch(/\/bundle-tool-runner$/m)
})

test('CVE-2019-5736: a script whose interpreter is /proc/self/exe finds no file of the host', () => {
  place.configure('exec sleep 1000')
  writeFileSync(inRootfs('evil'), '#!/proc/self/exe\n', { mode: 0o755 })
  const grab = 'for p in /proc/[0-9]*; do readlink $p/exe; (echo x > $p/exe) 2>/dev/null && echo overwritten; done'
  writeFileSync(inRootfs('grab'), `while :; do ${grab}; done\n`)
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0 })
  expect(place.tool(['exec', '-d', place.id, 'sh', '-c', 'sh /grab > /dev/shm/seen 2>&1']).end).toBe(0)
  for (let round = 0; round < 8; round++) place.tool(['exec', place.id, '/evil'])
  const { stdout } = place.tool(['exec', place.id, 'sort', '-u', '/dev/shm/seen'])
  const own = /^\/bin\/|^\/memfd:bundle-tool-runner|^$/
  expect(stdout.split('\n').filter((line) => !own.test(line))).toEqual([])
})

test.each([
  ['CVE-2019-16884: a directory', 'host'],
  ['CVE-2019-16884: an empty directory, as a volume is', 'empty'],
])('%s mounted on /proc is refused', (_, name) => {
  const source = join(place.directory, name)
  mkdirSync(source, { recursive: true })
  const { end, stderr } = place.run('exit 0', {
    config: { mounts: mounts(['/proc'], { destination: '/proc', source, options: ['bind'] }) },
    linux: { maskedPaths: [], readonlyPaths: [] },
  })
  expect(end).toBe(1)
  expect(stderr).toContain('mounts[')
  expect(place.leftovers()).toEqual([])
})

test.each(['proc', 'sys'])(
  'CVE-2019-19921, CVE-2023-27561, CVE-2023-28642, CVE-2025-54867: a rootfs whose /%s is a link is refused',
  (name) => {
    for (const target of [host, '/tmp', '../../../../..', `../../../../../../..${host}`]) {
      symlinkSync(target, inRootfs(name))
      const { end, stderr } = place.run('exit 0')
      expect(end).toBe(1)
      expect(stderr).toContain(`filesystem at \\"/${name}\\" must be mounted on ordinary directory`)
      expectHostUntouched()
      rmSync(inRootfs(name))
    }
    expect(place.leftovers()).toEqual([])
  },
)

test('CVE-2019-18837, CVE-2021-30465: a mount on a link to the host stays in the rootfs', () => {
  symlinkSync(`../../../../../../../../..${host}`, inRootfs('up'))
  symlinkSync(`${host}/file`, inRootfs('file'))
  const tmpfs = { type: 'tmpfs', source: 'tmpfs' }
  const { end, stdout } = place.run(`cat /proc/self/mountinfo | cut -d' ' -f5; ls ${host}`, {
    config: {
      root: { path: 'rootfs' },
      mounts: mounts(
        [],
        { destination: '/up', ...tmpfs },
        { destination: '/up/made/new', ...tmpfs },
        { destination: '/file', source: join(place.bundle, 'config.json'), options: ['bind'] },
      ),
    },
  })
  expect(end).toBe(0)
  expect(stdout.split('\n')).toEqual(expect.arrayContaining([host, `${host}/made/new`, `${host}/file`, 'made']))
  expectHostUntouched()
})

test('CVE-2022-29162, CVE-2022-24769, CVE-2022-27650, CVE-2025-27612: nothing is inheritable, in exec --cap too', () => {
  const nothing = 'CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n'
  const show = 'grep -E "^Cap(Inh|Amb)" /proc/self/status'
  place.configure(`${show} > /dev/shm/own; exec sleep 1000`)
  place.tool(['run', '-d', '-b', place.bundle, place.id])
  const caps = ['--cap', 'CAP_SYS_ADMIN', '--cap', 'CAP_NET_RAW']
  expect(place.tool(['exec', ...caps, place.id, 'sh', '-c', show]).stdout).toBe(nothing)
  expect(place.tool(['exec', place.id, 'cat', '/dev/shm/own']).stdout).toBe(nothing)
})

test('CVE-2023-25809: without a cgroup namespace a rootless container cannot write to the cgroups it sees', () => {
  const uid = 54_321
  const base = defaultConfig({ rootless: true, cgroupNamespace: false, uid, gid: uid })
  const script = `for d in $(find /sys/fs/cgroup -type d); do mkdir $d/x && echo $d; done
    for f in $(find /sys/fs/cgroup -name cgroup.procs); do echo 1 > $f && echo $f; done`
  place.write({
    ...base,
    process: { ...base.process, terminal: false, args: ['sh', '-c', script] } as NonNullable<typeof base.process>,
    linux: { ...base.linux, namespaces: (base.linux?.namespaces ?? []).filter(({ type }) => type !== 'cgroup') },
  })
  mkdirSync(place.root)
  execFileSync('chown', ['-R', `${uid}:${uid}`, place.directory])
  const tool = join(import.meta.dirname, '../../bin/bundle-tool.js')
  const env = { PATH: process.env.PATH ?? '', HOME: place.directory }
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [tool, '--root', place.root, 'run', '-b', place.bundle, place.id],
    {
      uid,
      gid: uid,
      env,
      encoding: 'utf8',
    },
  )
  expect({ stdout, stderr }).toEqual({ stdout: '', stderr: expect.stringContaining('Read-only file system') })
})

requires('root', 'busybox', 'unshare', 'setpriv', 'a hybrid hierarchy').test.each([false, true])(
  'CVE-2023-25809: nor on cgroup v2, where the cgroup of the caller is its own (cgroup namespace: %s)',
  (cgroupNamespace) => {
    const uid = 54_321
    const base = defaultConfig({ rootless: true, cgroupNamespace, uid, gid: uid })
    const script = `ls /sys/fs/cgroup/cgroup.procs
      for d in $(find /sys/fs/cgroup -type d); do mkdir $d/x && echo $d; done
      for f in $(find /sys/fs/cgroup -name cgroup.procs); do echo 1 > $f && echo $f; done`
    // Without "ro": what config.json says of it does not matter.
    const mounts = base.mounts?.map(({ options = [], ...mount }) => ({
      ...mount,
      options: mount.type === 'cgroup' ? options.filter((option) => option !== 'ro') : options,
    }))
    place.write({
      ...base,
      mounts,
      process: { ...base.process, terminal: false, args: ['sh', '-c', script] } as NonNullable<typeof base.process>,
    })
    mkdirSync(place.root)
    execFileSync('chown', ['-R', `${uid}:${uid}`, place.directory])
    const own = `/sys/fs/cgroup/unified/user-${place.id}`
    mkdirSync(own)
    try {
      const host = `umount -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; cd /sys/fs/cgroup/user-${place.id}
        chown -R ${uid}:${uid} .; echo $$ > cgroup.procs; cd ${place.directory}; export HOME=${place.directory}
        exec setpriv --reuid ${uid} --regid ${uid} --clear-groups "$@"`
      const under = ['unshare', '--mount', '--propagation', 'private', 'sh', '-e', '-c', host, 'sh']
      const { stdout, stderr } = place.tool(['run', '-b', place.bundle, place.id], { under })
      expect({ stdout, stderr }).toEqual({
        stdout: cgroupNamespace ? '' : '/sys/fs/cgroup/cgroup.procs\n',
        stderr: expect.stringContaining('Read-only file system'),
      })
    } finally {
      execFileSync('find', [own, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'])
    }
  },
)

test('CVE-2024-21626: only 0, 1 and 2 are open, and no descriptor is a working directory', () => {
  expect(place.run('ls /proc/self/fd').stdout).toBe('0\n1\n2\n3\n') // 3 is of ls
  const places = [...Array(10).keys()].map((index) => `/proc/self/fd/${index + 3}`)
  for (const cwd of [...places, '/proc/1/fd/5/../..', '/proc/self/fd/7/..']) {
    const { end, stdout } = place.run('pwd', { process: { cwd } })
    expect({ end: end === 0, stdout }, cwd).toEqual({ end: false, stdout: '' })
  }
})

test('CVE-2024-21626: exec enters no descriptor either', () => {
  place.configure('exec sleep 1000')
  place.tool(['run', '-d', '-b', place.bundle, place.id])
  place.comparesErrors = false // each way to start has other descriptors of its own
  for (let fd = 3; fd < 11; fd++) {
    const { end, stdout } = place.tool(['exec', '--cwd', `/proc/self/fd/${fd}`, place.id, 'pwd'])
    expect({ end: end === 0, stdout }, String(fd)).toEqual({ end: false, stdout: '' })
  }
  expect(place.tool(['exec', place.id, 'ls', '/proc/self/fd']).stdout).toBe('0\n1\n2\n3\n')
})

test('CVE-2025-31133: a /dev/null that is something else hides nothing, so the container is refused', () => {
  const dev = join(place.directory, 'dev')
  mkdirSync(dev)
  symlinkSync('/target', join(dev, 'null'))
  writeFileSync(inRootfs('target'), 'writable\n')
  const bound = { config: { mounts: mounts(['/dev'], { destination: '/dev', source: dev, options: ['rbind'] }) } }
  const { end, stderr } = place.run('cat /proc/kcore /proc/keys', bound)
  expect(end).toBe(1)
  expect(stderr).toContain('maskedPaths')
  expect(place.leftovers()).toEqual([])
})

test('CVE-2025-31133: a link at /dev/null of the rootfs is replaced by the device', () => {
  mkdirSync(inRootfs('dev'))
  symlinkSync(`../../../../../../..${host}/file`, inRootfs('dev/null'))
  const { end, stdout } = place.run("stat -c '%F %t:%T' /dev/null; cat /proc/keys", {
    config: { mounts: mounts(['/dev']) },
  })
  expect({ end, stdout }).toEqual({ end: 0, stdout: 'character special file 1:3\n' })
  expectHostUntouched()
})

requires('root', 'script').test('CVE-2025-52565: a link at /dev/console leads the terminal nowhere', () => {
  mkdirSync(inRootfs('dev'))
  symlinkSync(`../../../../../../..${host}/file`, inRootfs('dev/console'))
  const tool = join(import.meta.dirname, '../../bin/bundle-tool.js')
  place.configure('tty; echo over > /dev/console', {
    config: {
      root: { path: 'rootfs' },
      mounts: mounts(['/dev'], { destination: '/dev/pts', type: 'devpts', options: ['newinstance'] }),
    },
    process: { terminal: true },
  })
  const words = [process.execPath, tool, '--root', place.root, 'run', '-b', place.bundle, place.id]
  const { stdout } = spawnSync('script', ['-qec', words.join(' '), '/dev/null'], { encoding: 'utf8' })
  expect(stdout).toContain('/dev/pts/0')
  expectHostUntouched()
})

test('CVE-2025-52881, CVE-2025-62596: what is mounted below /proc gets none of the writes that are meant for the kernel', () => {
  const fake = join(place.directory, 'fake')
  mkdirSync(join(fake, 'ipv4'), { recursive: true })
  writeFileSync(join(fake, 'ipv4/ip_forward'), 'fake\n')
  place.configure('exec sleep 1000', {
    config: { mounts: mounts([], { destination: '/proc/sys/net', source: fake, options: ['bind'] }) },
    linux: { sysctl: { 'net.ipv4.ip_forward': '1' } },
  })
  const { end, stderr } = place.tool(['run', '-d', '-b', place.bundle, place.id])
  // A runtime may refuse to mount there; one that does must not be led by it.
  if (end === 0) {
    const { pid } = JSON.parse(place.tool(['state', place.id]).stdout)
    const real = ['--target', String(pid), '--net', 'cat', '/proc/sys/net/ipv4/ip_forward']
    expect(spawnSync('nsenter', real, { encoding: 'utf8' }).stdout).toBe('1\n')
  } else expect(stderr).toContain('/proc/sys/net')
  expect(readFileSync(join(fake, 'ipv4/ip_forward'), 'utf8')).toBe('fake\n')
})

test('GHSA-3q8j-pf29-vwv8: read-only and masked paths that are links stay in the rootfs', () => {
  symlinkSync(`../../../../../../..${host}`, inRootfs('shown'))
  mkdirSync(inRootfs(host), { recursive: true })
  writeFileSync(inRootfs(host, 'own'), 'own\n')
  const script = `cat ${host}/own; touch ${host}/new`
  const readonly = place.run(script, { config: { root: { path: 'rootfs' } }, linux: { readonlyPaths: ['/shown'] } })
  expect(readonly).toMatchObject({ end: 1, stdout: 'own\n', stderr: expect.stringContaining('Read-only') })
  const masked = place.run(`ls ${host}`, { linux: { maskedPaths: ['/shown'] } })
  expect(masked).toMatchObject({ end: 0, stdout: '' })
  writeFileSync(join(host, 'writable'), '')
  rmSync(join(host, 'writable'))
  expectHostUntouched()
})

test('CVE-2025-24965: files that the runtime reads in the rootfs are of the rootfs', () => {
  mkdirSync(inRootfs('etc'))
  writeFileSync(join(host, 'passwd'), 'root:x:0:0::/home/of-the-host:/bin/sh\n')
  symlinkSync(join(host, 'passwd'), inRootfs('etc/passwd'))
  mkdirSync(inRootfs(host), { recursive: true })
  writeFileSync(inRootfs(host, 'passwd'), 'root:x:0:0::/home/inside:/bin/sh\n')
  expect(place.run('echo $HOME', { process: { env: ['PATH=/bin'] } }).stdout).toBe('/home/inside\n')
  rmSync(inRootfs('etc/passwd'))
  execFileSync('mkfifo', [inRootfs('etc/passwd')])
  expect(place.run('echo $HOME', { process: { env: ['PATH=/bin'] } })).toMatchObject({ end: 0, stdout: '/\n' })
})

test('CVE-2026-30892: exec --user is the number that it says, or an error', () => {
  place.configure('exec sleep 1000', { process: { capabilities: { bounding: ['CAP_SETUID'] } } })
  place.tool(['run', '-d', '-b', place.bundle, place.id])
  const as = (user: string) => place.tool(['exec', '--user', user, place.id, 'sh', '-c', 'echo $(id -u):$(id -g)'])
  for (const [user, ids] of [
    ['1', '1:0'],
    ['1:2', '1:2'],
    ['007', '7:0'],
  ] as const) {
    expect(as(user), user).toMatchObject({ end: 0, stdout: `${ids}\n` })
  }
  for (const user of ['-1', '1:', '0x1', '1e1', '1:2:3', 'root', '4294967296', '1 ']) {
    const { end, stdout } = as(user)
    expect({ failed: end !== 0, stdout }, user).toEqual({ failed: true, stdout: '' })
  }
})

test.each([true, false])(
  'CVE-2026-41579, CVE-2026-47766: a rootfs whose /dev is a link makes no device there (mounted: %s)',
  (isMounted) => {
    symlinkSync(isMounted ? host : `../../../../../../..${host}`, inRootfs('dev'))
    place.run('exit 0', isMounted ? {} : { config: { mounts: mounts(['/dev']) } })
    expectHostUntouched()
    expect(statSync(host).mode & 0o7777).toBe(0o755)
    expect(existsSync(join(host, 'null'))).toBe(false)
  },
)
