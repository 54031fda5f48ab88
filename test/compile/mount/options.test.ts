import { expect, test } from 'vitest'
import { attributesOf, knownMountOptions, parseMountOptions } from '../../../src/compile/mount/options.ts'
import { mountAttributes as attribute, mountFlags as flag } from '../../../src/program/flags.ts'

const plain = {
  flags: 0,
  cleared: 0,
  propagation: [],
  recursive: { set: 0, clear: 0 },
  copyUp: false,
  idMapping: undefined,
  idMap: undefined,
  links: new Set(),
  data: '',
}

test.each([
  [[], {}],
  [['nosuid', 'nodev', 'noexec', 'ro'], { flags: flag.NOSUID | flag.NODEV | flag.NOEXEC | flag.RDONLY }],
  [['ro', 'rw'], { flags: 0, cleared: flag.RDONLY }],
  [['rw', 'ro'], { flags: flag.RDONLY, cleared: 0 }],
  [['rbind', 'rslave', 'private'], { flags: flag.BIND | flag.REC, propagation: [flag.SLAVE | flag.REC, flag.PRIVATE] }],
  [['size=64k', 'mode=755', 'gid=5'], { data: 'size=64k,mode=755,gid=5' }],
  [['', 'defaults'], {}],
  [['rro', 'rnoexec'], { recursive: { set: attribute.RDONLY | attribute.NOEXEC, clear: 0 } }],
  [['rrw'], { recursive: { set: 0, clear: attribute.RDONLY } }],
  [['rnoatime'], { recursive: { set: attribute.NOATIME, clear: attribute.ATIME } }],
  [['rnoatime', 'rrelatime'], { recursive: { set: 0, clear: attribute.ATIME } }],
  [['tmpcopyup'], { copyUp: true }],
  [['idmap'], { idMapping: 'idmap' }],
  [['ridmap'], { idMapping: 'ridmap' }],
  [['idmap='], { idMapping: 'idmap' }],
  [['ridmap=uids=0-1-2;gids=0-1-2'], { idMapping: 'ridmap', idMap: 'uids=0-1-2;gids=0-1-2' }],
  [['src-nofollow', 'dest-nofollow'], { links: new Set(['src-nofollow', 'dest-nofollow']) }],
  [['copy-symlink', 'idmapped'], { links: new Set(['copy-symlink']), data: 'idmapped' }],
  [['NOSUID', 'constructor', 'toString'], { data: 'NOSUID,constructor,toString' }],
] as const)('%j', (options, expected) => {
  const parsed = parseMountOptions(options)
  const { clear, ...recursive } = parsed.recursive
  const wanted = { ...plain, ...expected }
  expect({ ...parsed, recursive: { ...recursive, clear: clear & wanted.recursive.clear } }).toEqual(wanted)
})

test('no known option is passed to the filesystem', () => {
  expect(parseMountOptions(knownMountOptions()).data).toBe('')
  expect(knownMountOptions().length).toBeGreaterThan(50)
})

test('flags of mount(2) are attributes of mount_setattr(2) with the same meaning', () => {
  expect(attributesOf(flag.RDONLY | flag.NOSUID | flag.NODEV | flag.NOEXEC)).toBe(
    attribute.RDONLY | attribute.NOSUID | attribute.NODEV | attribute.NOEXEC,
  )
  expect(attributesOf(flag.NOATIME | flag.NODIRATIME | flag.NOSYMFOLLOW)).toBe(
    attribute.NOATIME | attribute.NODIRATIME | attribute.NOSYMFOLLOW,
  )
  expect(attributesOf(flag.BIND | flag.REC | flag.RELATIME)).toBe(0)
})
