import { expect, test } from 'vitest'
import { createTarReader, type TarEntry } from '../../../src/layer/tar/reader.ts'
import {
  base256,
  blocks,
  directory,
  file,
  gnu,
  gnuLong,
  header,
  member,
  pax,
  paxRecord,
  symlink,
  tar,
} from './builder.ts'

type Read = TarEntry & { readonly data: string }

/** Everything the reader delivers for an archive, given to it in chunks of `size` bytes. */
function read(archive: Buffer, size = archive.length): Read[] {
  const entries: Read[] = []
  let data = ''
  let current: TarEntry | undefined
  const reader = createTarReader({
    entry(entry) {
      current = entry
      data = ''
    },
    data(chunk, start, end) {
      data += chunk.toString('latin1', start, end)
    },
    end() {
      if (current === undefined) throw new Error('end without an entry')
      entries.push({ ...current, data })
      current = undefined
    },
  })
  for (let at = 0; at < archive.length; at += size) reader.push(archive.subarray(at, at + size))
  reader.finish()
  return entries
}

function readWithWarnings(archive: Buffer): { entries: TarEntry[]; warnings: string[] } {
  const entries: TarEntry[] = []
  const warnings: string[] = []
  const sink = { entry: (entry: TarEntry) => entries.push(entry), warn: (message: string) => warnings.push(message) }
  const reader = createTarReader({ ...sink, data() {}, end() {} })
  reader.push(archive)
  reader.finish()
  return { entries, warnings }
}

/** A member whose header has another type. */
function blocksOf(member: Buffer, type: string): Buffer {
  const copy = Buffer.from(member)
  const change = type.charCodeAt(0) - (copy[156] ?? 0)
  copy.write(type, 156)
  const sum = Number.parseInt(copy.toString('latin1', 148, 154), 8) + change
  copy.write(sum.toString(8).padStart(6, '0'), 148)
  return copy
}

const one = (...members: readonly Buffer[]): Read => {
  const entries = read(tar(...members))
  expect(entries).toHaveLength(1)
  return entries[0] as Read
}

const withCode = (code: string): unknown => expect.objectContaining({ code })

test.each([1, 7, 511, 512, 513, 4096])('chunks of %i bytes give the same entries as one piece', (size) => {
  const archive = tar(
    pax({ path: 'pax/name', 'SCHILY.xattr.user.a': 'b' }),
    file('x', 'data of the first'),
    directory('d'),
    gnuLong('L', 'long'.repeat(50)),
    file('short', 'y'.repeat(1500), { magic: gnu }),
    symlink('s', 'target'),
  )
  expect(read(archive, size)).toEqual(read(archive))
})

test('a ustar prefix precedes the name; GNU and v7 headers have none', () => {
  expect(one(file('name', '', { prefix: 'some/where' })).path).toBe('some/where/name')
  expect(one(file('name', '', { magic: '', prefix: 'garbage' })).path).toBe('name')
  // atime and ctime in the place of the prefix
  expect(one(file('name', '', { magic: gnu, prefix: '14000000000\x0014000000000\0' })).path).toBe('name')
})

test('a GNU header with a prefix, as Go before 1.8 wrote it, is read as meant', () => {
  expect(one(file('name', '', { magic: gnu, prefix: 'a/long/directory/that/is/no/time' })).path).toBe(
    'a/long/directory/that/is/no/time/name',
  )
})

test('a star header has a prefix of 131 bytes, with times behind it', () => {
  const times = '00000000001\x0000000000002\0'
  const archive = file('name', '', { prefix: 'star', patch: [[476, times], [508, 'tar\0']] }) // biome-ignore format: fields
  expect(one(archive).path).toBe('star/name')
})

test('names stay byte for byte, UTF-8 or not', () => {
  expect(one(file('caf\xe9\xff')).path).toBe('caf\xe9\xff')
  expect(one(pax({ path: 'caf\xc3\xa9/\xfe' }), file('x')).path).toBe('caf\xc3\xa9/\xfe')
})

test('PAX records replace the fields of the header', () => {
  const entry = one(
    pax({ path: 'p', linkpath: 'l', uid: '4000000', gid: '5000000', mtime: '1234.567890123999', size: '5' }),
    file('x', 'hello', { size: 0 }),
  )
  expect(entry).toMatchObject({ path: 'p', linkPath: 'l', uid: 4_000_000, gid: 5_000_000, data: 'hello', size: 5 })
  expect(entry.mtime).toEqual({ seconds: 1234, nanoseconds: 567_890_123 })
})

test.each([
  ['-1', -1, 0],
  ['-0.25', -1, 750_000_000],
  ['-1.5', -2, 500_000_000],
  ['7.', 7, 0],
  ['7.000000001', 7, 1],
])('PAX mtime %s is exact', (mtime, seconds, nanoseconds) => {
  expect(one(pax({ mtime }), file('x')).mtime).toEqual({ seconds, nanoseconds })
})

test('a PAX size beats the ustar size, so that no entry hides in the data (CVE-2025-62518)', () => {
  const smuggled = file('smuggled')
  const archive = tar(pax({ size: String(smuggled.length) }), file('outer', '', { size: 0 }), smuggled, file('next'))
  expect(read(archive).map(({ path }) => path)).toEqual(['outer', 'next'])
})

test('a PAX header applies to the next real entry, past GNU long names and global headers', () => {
  const archive = tar(
    pax({ uid: '77', size: '3' }),
    gnuLong('L', 'long'),
    pax({ comment: 'ignored', uid: '99' }, { type: 'g' }),
    file('x', 'abc'),
    file('y'),
  )
  expect(read(archive).map(({ path, uid, data }) => [path, uid, data])).toEqual([
    ['long', 77, 'abc'],
    ['y', 0, ''],
  ])
})

test('GNU long names and link targets end at the first NUL and apply once', () => {
  const name = 'n'.repeat(300)
  const target = 't'.repeat(300)
  const entries = read(
    tar(gnuLong('K', `${target}\0junk`), gnuLong('L', `${name}\0junk`), symlink('s', 'u'), symlink('r', 'v')),
  )
  expect(entries.map(({ path, linkPath }) => [path, linkPath])).toEqual([
    [name, target],
    ['r', 'v'],
  ])
})

test('extended attributes keep NULs, newlines, equals signs and bytes above 127', () => {
  const value = '\x01\0\x02=\n\xff\0'
  expect(one(pax({ 'SCHILY.xattr.security.capability': value }), file('x')).xattrs).toEqual(
    new Map([['security.capability', value]]),
  )
})

test.each([
  ['a NUL in path', [paxRecord('path', 'a\0b')]],
  ['a NUL in linkpath', [paxRecord('linkpath', 'a\0b')]],
  ['a NUL in a key', [paxRecord('pa\0th', 'a')]],
  ['a length that is too large', ['99 path=a\n']],
  ['a length that is too small', ['5 path=a\n']],
  ['no equals sign', ['8 patha\n']],
  ['no newline', ['9 path=ab']],
  ['a negative length', ['-9 path=a\n']],
  ['an empty key', ['5 =a\n']],
])('a PAX header with %s is refused', (_what, records) => {
  const archive = tar(member({ name: 'p', type: 'x' }, records.join('')), file('x'))
  expect(() => read(archive)).toThrow(withCode('ERR_LAYER_INVALID'))
})

test.each([
  ['uid', '12x'],
  ['size', '-1'],
  ['size', '99999999999999999999'],
  ['mtime', '1e400'],
])('PAX %s of %s is refused', (key, value) => {
  expect(() => read(tar(pax({ [key]: value }), file('x')))).toThrow(withCode('ERR_LAYER_INVALID'))
})

test('a metadata header over 1 MiB is refused before it is held in memory', () => {
  for (const type of ['x', 'L', 'K']) {
    expect(() => read(header({ name: 'p', type, size: 1024 * 1024 + 1 }))).toThrow(withCode('ERR_LIMIT_EXCEEDED'))
  }
})

test('base-256 numbers are read, also negative ones', () => {
  const fields = { uid: base256(3_000_000_000n, 8), mtime: base256(-5n, 12), magic: gnu }
  expect(one(file('x', '', fields))).toMatchObject({ uid: 3_000_000_000, mtime: { seconds: -5, nanoseconds: 0 } })
  const big = header({ name: 'x', size: base256(2n ** 40n, 12) })
  expect(() => read(big)).toThrow(/cut off/)
})

test.each([
  ['a negative size', { size: base256(-512n, 12) }],
  ['a size beyond all files', { size: base256(2n ** 80n, 12) }],
  ['a uid that is no number', { uid: 'root\0' }],
  ['a mode with a digit 9', { mode: '0000649\0' }],
])('a header with %s is refused', (_what, fields) => {
  expect(() => read(tar(file('x', '', fields)))).toThrow(withCode('ERR_LAYER_INVALID'))
})

test('a bad checksum is an error; one over signed bytes is not', () => {
  expect(() => read(tar(file('x', '', { checksum: '000000\0 ' })))).toThrow(/bad header checksum/)
  const block = file('\xff\xff')
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : (byte << 24) >> 24), 0)
  expect(one(file('\xff\xff', '', { checksum: `${sum.toString(8).padStart(6, '0')}\0 ` })).path).toBe('\xff\xff')
})

test('NUL and 7 are types of regular files, and a trailing slash makes a directory of any of them', () => {
  expect(one(file('x', 'abc', { type: '\0' }))).toMatchObject({ kind: 'file', data: 'abc' })
  expect(one(file('x', 'abc', { type: '7' }))).toMatchObject({ kind: 'file', data: 'abc' })
  expect(one(file('x/', '', { type: '0' })).kind).toBe('directory')
})

test.each(['\0', '0', '5'])('a directory of the type %j has no data, whatever its size field says', (type) => {
  for (const size of [5, 512, 1024]) {
    const entries = read(tar(header({ name: 'x/', type, size, magic: '' }), file('y', 'z')))
    expect(entries.map(({ kind, path, data }) => [kind, path, data])).toEqual([
      ['directory', 'x/', ''],
      ['file', 'y', 'z'],
    ])
  }
})

test('a size field of a link, directory, device or FIFO is not followed by data', () => {
  const headers = ['1', '2', '3', '4', '5', '6'].map((type) => header({ name: 'x', type, size: 512 }))
  expect(read(tar(...headers, file('last')))).toHaveLength(7)
})

test('an unknown type is an error that names the entry', () => {
  expect(() => read(tar(file('odd', '', { type: 'Z' })))).toThrow(/entry "odd" of unknown type "Z"/)
  expect(() => read(tar(file('rest', 'x', { type: 'M' })))).toThrow(
    /entry "rest" that is continued from another volume/,
  )
})

test('labels of volumes and lists of Solaris are passed over, its PAX headers and directories with lists are read', () => {
  const { warnings, entries } = readWithWarnings(
    tar(
      file('label', '', { type: 'V', magic: gnu }),
      file('acl', 'user::rwx,', { type: 'A' }),
      blocksOf(pax({ path: 'named' }), 'X'),
      file('short', 'data'),
      file('dir/', 'Yshort\0', { type: 'D', magic: gnu }),
      file('last', 'x'),
    ),
  )
  expect(entries.map(({ kind, path, size }) => [kind, path, size])).toEqual([
    ['file', 'named', 4],
    ['directory', 'dir/', 0],
    ['file', 'last', 1],
  ])
  expect(warnings).toEqual(['access control lists of Solaris are not read'])
})

test('an archive without an end marker, or with half of one, is complete', () => {
  expect(read(file('x'))).toHaveLength(1)
  expect(read(Buffer.concat([file('x'), Buffer.alloc(512)]))).toHaveLength(1)
  expect(read(Buffer.alloc(0))).toEqual([])
})

test('bytes after the end marker are ignored, and told of after a lone block of zeros', () => {
  expect(read(Buffer.concat([tar(file('x')), file('y'), Buffer.from('junk')]))).toHaveLength(1)
  for (const rest of [file('y'), Buffer.from('junk'), Buffer.alloc(700, 1)]) {
    const { warnings, entries } = readWithWarnings(Buffer.concat([file('x'), Buffer.alloc(512), rest]))
    expect(entries.map(({ path }) => path)).toEqual(['x'])
    const lone = 'the archive ends at a lone block of zeros; what follows it is not read'
    expect(warnings).toEqual(rest.length < 512 ? [] : [lone])
  }
})

test('an archive that stops anywhere else is cut off', () => {
  const archive = Buffer.concat([pax({ path: 'p' }), file('x', 'y'.repeat(600))])
  for (const length of [100, 512, 600, 1024, 1100, 1536, 1600, 2135]) {
    expect(() => read(archive.subarray(0, length)), `${length} bytes`).toThrow(/cut off/)
  }
  expect(read(archive)).toHaveLength(1)
  for (const length of [2136, 2137, 2500]) expect(read(archive.subarray(0, length)), 'padding').toHaveLength(1)
})

const sparseEntry = { size: 20, sparse: { size: 20, segments: [{ offset: 2, length: 3 }, { offset: 10, length: 2 }] } } // biome-ignore format: table

test('GNU sparse formats 0.0, 0.1 and 1.0 give the same map', () => {
  const repeated = [['offset', '2'], ['numbytes', '3'], ['offset', '10'], ['numbytes', '2']] // biome-ignore format: table
  const v00 = member(
    { name: 'h', type: 'x' },
    paxRecord('GNU.sparse.size', '20') +
      repeated.map(([key, value]) => paxRecord(`GNU.sparse.${key}`, value ?? '')).join(''),
  )
  expect(one(v00, file('x', 'abcde'))).toMatchObject({ ...sparseEntry, data: 'abcde' })
  const v01 = pax({ 'GNU.sparse.size': '20', 'GNU.sparse.map': '2,3,10,2', 'GNU.sparse.name': 'real' })
  expect(one(v01, file('GNUSparseFile.0/x', 'abcde'))).toMatchObject({ ...sparseEntry, path: 'real', data: 'abcde' })
  const v10 = pax({
    'GNU.sparse.major': '1',
    'GNU.sparse.minor': '0',
    'GNU.sparse.realsize': '20',
    'GNU.sparse.name': 'real',
  })
  const data = Buffer.concat([blocks('2\n2\n3\n10\n2\n'), Buffer.from('abcde')])
  expect(one(v10, member({ name: 'x' }, data))).toMatchObject({ ...sparseEntry, path: 'real', data: 'abcde' })
})

test('old GNU sparse files are read, with extension blocks', () => {
  const slot = (offset: number, length: number): string =>
    `${offset.toString(8).padStart(11, '0')}\0${length.toString(8).padStart(11, '0')}\0`
  const inHeader = header({
    name: 'old',
    type: 'S',
    magic: gnu,
    size: 5,
    patch: [[386, [0, 2, 4, 6].map((at) => slot(at, 1)).join('')], [482, '\x01'], [483, '00000000024\0']], // biome-ignore format: table
  })
  const extension = Buffer.alloc(512)
  extension.write(slot(10, 1), 'latin1')
  const entry = one(inHeader, extension, blocks('abcde'))
  expect(entry).toMatchObject({ path: 'old', size: 20, data: 'abcde' })
  expect(entry.sparse?.segments.map(({ offset }) => offset)).toEqual([0, 2, 4, 6, 10])
})

test.each([
  ['segments past the end', { 'GNU.sparse.size': '4', 'GNU.sparse.map': '2,3' }, 'abc', 'ERR_LAYER_INVALID'],
  ['overlapping segments', { 'GNU.sparse.size': '9', 'GNU.sparse.map': '2,3,4,1' }, 'abcd', 'ERR_LAYER_INVALID'],
  ['less data than the map says', { 'GNU.sparse.size': '9', 'GNU.sparse.map': '2,3' }, 'a', 'ERR_LAYER_INVALID'],
  ['half a segment', { 'GNU.sparse.size': '9', 'GNU.sparse.map': '2,3,4' }, 'abc', 'ERR_LAYER_INVALID'],
  ['a negative offset', { 'GNU.sparse.size': '9', 'GNU.sparse.map': '-2,3' }, 'abc', 'ERR_LAYER_INVALID'],
  [
    'a map of too many segments (CVE-2025-58183)',
    { 'GNU.sparse.size': '9', 'GNU.sparse.map': '0,0,'.repeat(70_000).slice(0, -1) },
    '',
    'ERR_LIMIT_EXCEEDED',
  ],
])('a sparse file with %s is refused', (_what, records, data, code) => {
  expect(() => read(tar(pax(records), file('x', data)))).toThrow(withCode(code))
})

test.each([
  ['that promises too many segments', '1000000000\n', 'ERR_LIMIT_EXCEEDED'],
  ['that has no end', `${'1'.repeat(600)}`, 'ERR_LAYER_INVALID'],
  ['that goes on past the data', '5\n1\n', 'ERR_LAYER_INVALID'],
])('a 1.0 sparse map %s is refused', (_what, map, code) => {
  const records = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '20' }
  expect(() => read(tar(pax(records), member({ name: 'x' }, blocks(map))))).toThrow(withCode(code))
})
