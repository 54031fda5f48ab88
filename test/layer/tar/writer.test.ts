import { expect, test } from 'vitest'
import { paddingOf } from '../../../src/layer/tar/header.ts'
import { createTarReader, type TarEntry } from '../../../src/layer/tar/reader.ts'
import { formatTarHeader, type TarWriterEntry, tarEnd } from '../../../src/layer/tar/writer.ts'

const plain: TarWriterEntry = {
  kind: 'file',
  path: 'a',
  linkPath: '',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  major: 0,
  minor: 0,
  xattrs: undefined,
}

function read(archive: Buffer): TarEntry[] {
  const entries: TarEntry[] = []
  const reader = createTarReader({ entry: (entry) => entries.push(entry), data: () => {}, end: () => {} })
  reader.push(archive)
  return entries
}

test.each<[string, Partial<TarWriterEntry>]>([
  ['a plain file', {}],
  ['a name of 100 bytes', { path: 'n'.repeat(100) }],
  ['a name of 101 bytes', { path: 'n'.repeat(101) }],
  ['a name that is not UTF-8', { path: 'caf\xe9/\xff' }],
  ['a long name that is not UTF-8', { path: `${'\xe9'.repeat(200)}/x` }],
  ['a name with a line feed', { path: 'a\nb=c' }],
  ['a link to a long path', { kind: 'symlink', linkPath: `/${'t'.repeat(3000)}` }],
  ['a hard link', { kind: 'hardlink', linkPath: 'b' }],
  ['a device', { kind: 'character', major: 4095, minor: 1_048_575, mode: 0o666 }],
  ['the highest owner', { uid: 4_294_967_294, gid: 2_097_152, mode: 0o7777 }],
  ['a time with nanoseconds', { mtime: { seconds: 1_700_000_000, nanoseconds: 7 } }],
  ['a time before 1970', { mtime: { seconds: -2, nanoseconds: 500_000_000 } }],
  ['a whole time before 1970', { mtime: { seconds: -2, nanoseconds: 0 } }],
  ['a time after 2242', { mtime: { seconds: 2 ** 33, nanoseconds: 0 } }],
  [
    'attributes of any bytes',
    {
      xattrs: new Map([
        ['user.b', '\0\xff\n'],
        ['security.capability', '\x01='],
      ]),
    },
  ],
])('%s is read as it was written', (_, fields) => {
  const member = { ...plain, ...fields }
  const [entry, ...others] = read(Buffer.concat([formatTarHeader(member), tarEnd]))
  expect(entry).toEqual({ ...member, sparse: undefined })
  expect(others).toEqual([])
})

test('a file of more than 8 GiB has its size in a record', () => {
  const size = 2 ** 33 + 5
  expect(read(formatTarHeader({ ...plain, size }))).toMatchObject([{ size }])
})

test('data is padded to whole blocks', () => {
  expect([0, 1, 511, 512, 513].map(paddingOf)).toEqual([0, 511, 1, 0, 511])
})

test('the order of attributes makes no difference', () => {
  const header = (...names: string[]) =>
    formatTarHeader({ ...plain, xattrs: new Map(names.map((name) => [name, 'x'])) }).toString('hex')
  expect(header('user.b', 'user.a')).toBe(header('user.a', 'user.b'))
})
