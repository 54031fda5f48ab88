import { execFileSync } from 'node:child_process'
import { chownSync, mkdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Mount } from '../../../src/oci/runtime-config.ts'
import type { ConfigChange } from '../../container.ts'
import { requires } from '../../requirements.ts'
import { openPlace } from './inside.ts'

const { test } = requires('root', 'busybox')
const at = openPlace()

/** The default mounts a container needs to look at itself, and these. */
const withMounts = (...mounts: readonly Mount[]): ConfigChange => ({
  config: { mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }, ...mounts] },
})
const tmpfs = (destination: string, ...options: readonly string[]): Mount => ({
  destination,
  type: 'tmpfs',
  source: 'tmpfs',
  options,
})
const bind = (source: string, destination: string, ...options: readonly string[]): Mount => ({
  destination,
  type: 'bind',
  source,
  options: ['bind', ...options],
})
/** Options of the mount, then those of its file system. */
/** Without what the kernel adds by itself: some say of every tmpfs that its inode numbers have 64 bits. */
const optionsOf = (path: string): string =>
  `awk '$5 == "${path}" { sub(/,mode=[0-7]+/, "", $NF); sub(/,inode64/, "", $NF); print $6 " " $NF }' /proc/self/mountinfo`

/** Prints the mount points below a directory of the host, each with its propagation where it has one. */
const mountPoints = (directory: string): string =>
  `awk '$5 ~ "^${directory}" { print $5 ($7 == "-" ? "" : " " $7) }' /proc/self/mountinfo`

test('/root/path: relative to the bundle, or absolute', () => {
  const { see, place } = at()
  expect(see('ls /bin/busybox', { config: { root: { path: 'rootfs' } } })).toBe('/bin/busybox\n')
  expect(see('ls /bin/busybox', { config: { root: { path: join(place.bundle, 'rootfs') } } })).toBe('/bin/busybox\n')
})

test.each([true, false])('/root/readonly: %s', (readonly) => {
  const { place } = at()
  const { stdout, stderr } = place.run('touch /x; echo $?; rm -f /x', {
    config: { root: { path: 'rootfs', readonly } },
  })
  expect(stdout).toBe(readonly ? '1\n' : '0\n')
  expect(stderr.includes('Read-only file system')).toBe(readonly)
})

test('/root/readonly: true, without a mount namespace, and what is mounted below it can be written to', () => {
  const { place } = at()
  const host = 'mount -t tmpfs none /mnt; exec "$@"' // a mount namespace that is the host's here
  place.configure(
    'touch /x; echo $?; touch /tmp/x && ls -d /proc/self/maps /tmp/x; grep -c bundle /proc/self/mountinfo',
    {
      config: {
        root: { path: 'rootfs', readonly: true },
        mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }, tmpfs('/tmp')],
      },
      linux: { namespaces: [{ type: 'pid' }, { type: 'uts' }], maskedPaths: [], readonlyPaths: [] },
    },
  )
  const under = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', host, 'sh']
  const { stdout, stderr } = place.tool(['run', '-b', place.bundle, place.id], { under })
  expect(stdout).toMatch(/^1\n\/proc\/self\/maps\n\/tmp\/x\n/)
  expect(stderr).toContain('Read-only file system')
})

test('/mounts, without a mount namespace: all end with that of the rootfs, and none is left by a run or a failure', () => {
  const { place } = at()
  const configure = (script: string, ...more: readonly Mount[]) =>
    place.configure(script, {
      config: {
        root: { path: 'rootfs' },
        mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }, tmpfs('/tmp'), ...more],
      },
      linux: { namespaces: [{ type: 'pid' }, { type: 'uts' }], maskedPaths: [], readonlyPaths: [] },
    })
  // A mount namespace that is the host's here, of which every mount is shared.
  const host = `mount --make-rshared / && "$@"; echo end $?; ${mountPoints(place.bundle)}; ${mountPoints(place.bundle)} | grep -c shared`
  const inHost = (script: string, ...args: readonly string[]) =>
    place.tool(args, { under: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'] }).stdout
  configure('true')
  expect(inHost(host, 'run', '-b', place.bundle, place.id)).toBe('end 0\n0\n')
  configure('exec sleep 1000')
  const rootfs = join(place.bundle, 'rootfs')
  const ended = `${host}; umount -l ${rootfs}; ${mountPoints(place.bundle)}`
  const all = ['', '/proc', '/tmp'].map((path) => `${rootfs}${path}\n`).join('')
  expect(inHost(ended, 'create', '-b', place.bundle, place.id)).toBe(`end 0\n${all}0\n`)
  expect(place.tool(['delete', '-f', place.id])).toMatchObject({ end: 0, stderr: '' })
  configure('true', { destination: '/none', source: '/no/such', options: ['bind'] })
  expect(inHost(host, 'create', '-b', place.bundle, place.id)).toBe('end 1\n0\n')
})

test('/mounts/options: of recursive ones that contradict each other the later one holds', () => {
  const look = (path: string): string => at().see(`awk '$5 == "${path}" { print $6 }' /proc/self/mountinfo`, mounts)
  const { place } = at()
  const mounts = withMounts(
    bind(place.directory, '/one', 'rbind', 'rro', 'rrw'),
    bind(place.directory, '/two', 'rbind', 'rrw', 'rro'),
  )
  expect(look('/one')).toMatch(/^rw/)
  expect(look('/two')).toMatch(/^ro/)
})

test('/mounts/destination: made below the root, through links, in the order of the list', () => {
  const { see, place } = at()
  const rootfs = join(place.bundle, 'rootfs')
  mkdirSync(join(rootfs, 'inner'))
  symlinkSync('../../../inner', join(rootfs, 'link'))
  const mounts = [tmpfs('/link', 'size=4k'), tmpfs('/link/one', 'size=8k'), tmpfs('/inner/one/two', 'size=12k')]
  expect(see('cut -d " " -f 5 /proc/self/mountinfo | grep inner', withMounts(...mounts))).toBe(
    '/inner\n/inner/one\n/inner/one/two\n',
  )
})

test('/mounts/type: any file system of the kernel', () => {
  const mounts = [tmpfs('/a'), { destination: '/b', type: 'ramfs', source: 'x' }, { destination: '/c', type: 'mqueue' }]
  const { see, refusal } = at()
  expect(see(`awk '$5 ~ "^/[abc]$" { print $(NF - 2) }' /proc/self/mountinfo`, withMounts(...mounts))).toBe(
    'tmpfs\nramfs\nmqueue\n',
  )
  expect(refusal(withMounts({ destination: '/a', type: 'nosuchfs', source: 'x' }))).toMatch(
    /nosuchfs.*ENODEV|ENODEV.*nosuchfs/,
  )
})

test('/mounts/source: of a bind, relative to the bundle; of a file system, its name', () => {
  const { see, place } = at()
  writeFileSync(join(place.bundle, 'file'), 'of the bundle\n')
  expect(see('cat /file', withMounts(bind('file', '/file')))).toBe('of the bundle\n')
  const named = { ...tmpfs('/a'), source: 'my-name' }
  expect(see(`awk '$5 == "/a" { print $(NF - 1) }' /proc/self/mountinfo`, withMounts(named))).toBe('my-name\n')
})

test.each([
  ['ro', 'ro,relatime rw'],
  ['rw', 'rw,relatime rw'],
  ['nosuid', 'rw,nosuid,relatime rw'],
  ['nodev', 'rw,nodev,relatime rw'],
  ['noexec', 'rw,noexec,relatime rw'],
  ['nosymfollow', 'rw,relatime,nosymfollow rw'],
  ['noatime', 'rw,noatime rw'],
  ['nodiratime', 'rw,nodiratime,relatime rw'],
  ['relatime', 'rw,relatime rw'],
  ['strictatime', 'rw rw'],
  ['sync', 'rw,relatime rw,sync'],
  ['dirsync', 'rw,relatime rw,dirsync'],
  ['lazytime', 'rw,relatime rw,lazytime'],
  ['defaults', 'rw,relatime rw'],
  ['ro rw', 'rw,relatime rw'],
  ['nosuid suid', 'rw,relatime rw'],
  ['nodev dev', 'rw,relatime rw'],
  ['noexec exec', 'rw,relatime rw'],
  ['nosymfollow symfollow', 'rw,relatime rw'],
  ['noatime atime', 'rw,relatime rw'],
  ['nodiratime diratime', 'rw,relatime rw'],
  ['sync async', 'rw,relatime rw'],
  ['size=64k', 'rw,relatime rw,size=64k'],
])('/mounts/options: a tmpfs that is %s', (options, shown) => {
  expect(at().see(optionsOf('/a'), withMounts(tmpfs('/a', ...options.split(' '))))).toBe(`${shown}\n`)
})

test.each([
  ['rro', 'ro,relatime'],
  ['rnosuid', 'rw,nosuid,relatime'],
  ['rnodev', 'rw,nodev,relatime'],
  ['rnoexec', 'rw,noexec,relatime'],
  ['rnosymfollow', 'rw,relatime,nosymfollow'],
  ['rnoatime', 'rw,noatime'],
  ['rnodiratime', 'rw,nodiratime,relatime'],
  ['rstrictatime', 'rw'],
  ['ro rrw', 'rw,relatime'],
  ['nosuid rsuid', 'rw,relatime'],
  ['nodev rdev', 'rw,relatime'],
  ['noexec rexec', 'rw,relatime'],
  ['nosymfollow rsymfollow', 'rw,relatime'],
  ['noatime rrelatime', 'rw,relatime'],
])('/mounts/options: a bind that is %s', (options, shown) => {
  const { see, place } = at()
  // The source is on a mount whose options nobody has chosen, as those of /tmp.
  const source = join(place.bundle, 'source')
  mkdirSync(source, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', 'plain', source])
  try {
    const outer = see(optionsOf('/b'), withMounts(bind('source', '/b', ...options.split(' '))))
    expect(outer.split(' ')[0]).toBe(shown)
  } finally {
    execFileSync('umount', [source])
  }
})

test('/mounts/options: a bind is of one mount, an rbind of all below it too, which recursive options reach', () => {
  const below = 'cut -d " " -f 5,6 /proc/self/mountinfo | grep -c "^/here/proc ro,"; true'
  const here = (...options: readonly string[]): Mount => ({ destination: '/here', source: '/', options })
  const { see } = at()
  expect(see(below, withMounts(here('bind', 'ro')))).toBe('0\n')
  expect(see(below, withMounts(here('rbind', 'rprivate', 'ro')))).toBe('0\n')
  expect(see(below, withMounts(here('rbind', 'rprivate', 'rro')))).toBe('1\n')
})

test('/mounts/options: private, shared, slave and unbindable', () => {
  const kinds = ['private', 'shared', 'slave', 'unbindable', 'rshared'] as const
  const mounts = kinds.map((kind) => tmpfs(`/${kind}`, kind))
  const shown = at().see(
    `awk '$5 ~ "^/(private|r?shared|slave|unbindable)$" { print $5 " " $7 }' /proc/self/mountinfo | sed 's/:.*//'`,
    withMounts(...mounts),
  )
  expect(shown).toBe('/private -\n/shared shared\n/slave -\n/unbindable unbindable\n/rshared shared\n')
})

test('/mounts/options: tmpcopyup takes along what the directory holds', () => {
  const { see, place } = at()
  const directory = join(place.bundle, 'rootfs/full')
  mkdirSync(join(directory, 'inner'), { recursive: true })
  writeFileSync(join(directory, 'inner/file'), 'kept\n', { mode: 0o640 })
  symlinkSync('inner/file', join(directory, 'link'))
  const script = 'cat /full/link; stat -c %a /full/inner/file; echo new >/full/file && cat /full/file'
  expect(see(script, withMounts(tmpfs('/full', 'tmpcopyup')))).toBe('kept\n640\nnew\n')
  expect(see('ls /full')).toBe('inner\nlink\n')
})

test('/mounts/options: data of the file system, and words it does not know are refused', () => {
  const { see, refusal } = at()
  expect(see('stat -c "%a %u %g" /a', withMounts(tmpfs('/a', 'mode=1711', 'uid=5', 'gid=6')))).toBe('1711 5 6\n')
  expect(refusal(withMounts(tmpfs('/a', 'nonsense=1')))).toContain('config.json#/mounts/1')
  expect(refusal(withMounts(bind('/usr', '/a', 'size=1m')))).toContain('config.json#/mounts/1')
})

test('/mounts/{uidMappings,gidMappings}: owners of an idmapped mount', () => {
  const { see, place } = at()
  const file = join(place.bundle, 'owned')
  writeFileSync(file, '')
  chownSync(file, 10, 20)
  const range = (hostID: number) => [{ containerID: 0, hostID, size: 1000 }]
  const mount = { ...bind(file, '/owned'), uidMappings: range(5000), gidMappings: range(6000) }
  expect(see('stat -c "%u %g" /owned', withMounts(mount))).toBe('5010 6020\n')
})

test.each(['idmap', 'ridmap'])('/mounts/options: %s maps owners as the container does', (option) => {
  const { see, place } = at()
  const file = join(place.bundle, 'owned-as-inside')
  for (const path of [file, join(place.bundle, 'rootfs/plain'), join(place.bundle, 'rootfs/mapped')]) {
    writeFileSync(path, '')
  }
  chownSync(file, 10, 20)
  const range = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
  const change: ConfigChange = {
    ...withMounts(tmpfs('/dev'), bind(file, '/plain'), bind(file, '/mapped', option)),
    linux: {
      namespaces: [{ type: 'mount' }, { type: 'user' }, { type: 'pid' }, { type: 'uts' }],
      uidMappings: range,
      gidMappings: range,
    },
  }
  expect(see('stat -c "%u %g" /plain /mapped', change)).toBe('65534 65534\n10 20\n')
})

test('/mounts/options: idmap= gives a mount a mapping of its own', () => {
  const { see, place } = at()
  const file = join(place.bundle, 'owned-by-option')
  writeFileSync(file, '')
  chownSync(file, 10, 20)
  const own = bind(file, '/owned', 'idmap=uids=0-5000-10#10-7000-5;gids=0-6000-1000')
  expect(see('stat -c "%u %g" /owned', withMounts(own))).toBe('7000 6020\n')
  const range = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
  const inside: ConfigChange = {
    ...withMounts(tmpfs('/dev'), bind(file, '/owned', 'idmap=uids=@10-77-5;gids=@20-88-5')),
    linux: {
      namespaces: [{ type: 'mount' }, { type: 'user' }, { type: 'pid' }, { type: 'uts' }],
      uidMappings: range,
      gidMappings: range,
    },
  }
  expect(see('stat -c "%u %g" /owned', inside)).toBe('77 88\n')
  expect(at().refusal(withMounts(bind(file, '/owned', 'idmap=uids=0-1-1')))).toContain('config.json#/mounts/1/options')
})

test('/mounts/options: copy-symlink makes a link, anew each time, and mounts what is none', () => {
  const { see, refusal, place } = at()
  const rootfs = join(place.bundle, 'rootfs')
  const [link, file] = ['copied-link', 'copied-file'].map((name) => join(place.bundle, name)) as [string, string]
  symlinkSync('some/where', link)
  writeFileSync(file, 'content\n')
  const change = withMounts(bind(link, '/copies/link', 'copy-symlink'), bind(file, '/copies/file', 'copy-symlink'))
  const look = 'readlink /copies/link; cat /copies/file; grep -c " /copies" /proc/self/mountinfo'
  expect(see(look, change)).toBe('some/where\ncontent\n1\n')
  expect(see(look, change)).toBe('some/where\ncontent\n1\n')
  rmSync(link)
  symlinkSync('else/where', link)
  expect(refusal(change)).toMatch(
    /file already exists.*remove what is there from the rootfs: it is no link to .*else\/where/,
  )
  rmSync(join(rootfs, 'copies/link'))
  expect(see(look, change)).toBe('else/where\ncontent\n1\n')
  expect(refusal(withMounts(bind(link, '/x', 'copy-symlink', 'src-nofollow')))).toContain(
    'config.json#/mounts/1/options',
  )
  expect(refusal(withMounts(tmpfs('/x', 'src-nofollow')))).toContain('config.json#/mounts/1/options')
})

test('/mounts/options: src-nofollow mounts a link itself, dest-nofollow covers one', () => {
  const { see, refusal, place } = at()
  const rootfs = join(place.bundle, 'rootfs')
  const [link, file] = ['own-link', 'own-file'].map((name) => join(place.bundle, name)) as [string, string]
  symlinkSync('/from/the/host', link)
  writeFileSync(file, 'content\n')
  symlinkSync('/of/the/image', join(rootfs, 'covered'))
  const both = withMounts(bind(link, '/covered', 'src-nofollow', 'dest-nofollow'), bind(link, '/new', 'src-nofollow'))
  expect(see('readlink /covered; readlink /new', both)).toBe('/from/the/host\n/from/the/host\n')
  expect(see('cat /covered; [ ! -e /of ]', withMounts(bind(file, '/covered', 'dest-nofollow')))).toBe('content\n')
  expect(readlinkSync(join(rootfs, 'covered'))).toBe('/of/the/image')
  expect(refusal(withMounts(bind(file, '/not/there', 'dest-nofollow')))).toContain('config.json#/mounts/1')
})

test('/linux/maskedPaths: a file is empty, a directory too, and neither can be written', () => {
  const { see, place } = at()
  const rootfs = join(place.bundle, 'rootfs')
  mkdirSync(join(rootfs, 'secret'), { recursive: true })
  writeFileSync(join(rootfs, 'secret/key'), 'key')
  writeFileSync(join(rootfs, 'secret-file'), 'key')
  const script = 'ls /secret | wc -l; wc -c </secret-file; touch /secret/x 2>/dev/null || echo refused'
  const maskedPaths = ['/secret', '/secret-file', '/missing']
  expect(see(script, { linux: { maskedPaths }, config: { root: { path: 'rootfs' } } })).toBe('0\n0\nrefused\n')
})

test('/linux/readonlyPaths: read, not written', () => {
  const { see, place } = at()
  mkdirSync(join(place.bundle, 'rootfs/fixed'), { recursive: true })
  writeFileSync(join(place.bundle, 'rootfs/fixed/file'), 'text\n')
  const script =
    'cat /fixed/file; echo x 2>/dev/null >/fixed/file || echo refused; echo x >/free && rm /free && echo free'
  expect(see(script, { linux: { readonlyPaths: ['/fixed', '/missing'] }, config: { root: { path: 'rootfs' } } })).toBe(
    'text\nrefused\nfree\n',
  )
})
