import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, expect, test } from 'vitest'
import { file, gnu, header, pax, tar } from '../layer/tar/builder.ts'
import { sha256 } from '../registry/fake-registry.ts'
import { layoutFiles, makeImage, writeFiles } from '../source/build-image.ts'
import { forms, ImageCommands } from './image-command.ts'

const form = forms['bin/bundle-tool.js'] ?? []
const here = new ImageCommands()
afterEach(() => {
  for (const name of ['bundle', 'layout', 'a.tar']) rmSync(here.at(name), { recursive: true, force: true })
})
afterAll(() => here[Symbol.dispose]())

const unpack = (source: string) => here.run(form, ['unpack', '--quiet', source, '--out', 'bundle'])

/** Unpacks an archive as a layer, as a rootfs and as a file whose kind is found out: all have the same result. */
async function unpackAll(archive: Buffer): Promise<{ status: number | null; stderr: string; files: string[] }> {
  const blob = gzipSync(archive)
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip'
  const layer = { blob, diffID: sha256(archive), descriptor: { mediaType, digest: sha256(blob), size: blob.length } }
  writeFiles(here.at('layout'), layoutFiles({ one: makeImage([layer]) }))
  writeFileSync(here.at('a.tar'), archive)
  const results = []
  for (const source of ['rootfs:a.tar', 'a.tar', 'oci:layout:one']) {
    const { status, stderr } = await unpack(source)
    const files = status === 0 ? readdirSync(here.at('bundle/rootfs'), { recursive: true }).map(String).sort() : []
    results.push({ status, stderr: stderr.replaceAll(/layer [^ ]+:/g, 'layer:'), files })
    rmSync(here.at('bundle'), { recursive: true, force: true })
  }
  const [first, ...others] = results
  for (const other of others) expect(other).toEqual(first)
  if (first === undefined) throw new Error('nothing was unpacked')
  return first
}

const lone = 'the archive ends at a lone block of zeros; what follows it is not read'
const done = (files: readonly string[], ...warnings: readonly string[]) => ({
  status: 0,
  stderr: warnings.map((warning) => `warning: layer: ${warning}\n`).join(''),
  files,
})

test.each([
  [
    'a last entry that is not padded',
    Buffer.concat([file('a', 'x'), header({ name: 'b', size: 5 }), Buffer.from('hello')]),
    done(['a', 'b']),
  ],
  [
    'directories of v7 with a size',
    tar(header({ name: 'd/', type: '\0', size: 1024, magic: '' }), file('a'), file('b')),
    done(['a', 'b', 'd']),
  ],
  ['the label of a volume', tar(file('label', '', { type: 'V', magic: gnu }), file('a')), done(['a'])],
  [
    'a directory of an incremental archive',
    tar(file('d/', 'Ya\0', { type: 'D', magic: gnu }), file('d/a')),
    done(['d', 'd/a']),
  ],
  ['a lone block of zeros', Buffer.concat([file('a'), Buffer.alloc(512), tar(file('b'))]), done(['a'], lone)],
  [
    'a list of Solaris',
    tar(file('a', 'user::rwx', { type: 'A' }), file('a')),
    done(['a'], 'access control lists of Solaris are not read'),
  ],
  ['sparse files', tar(pax({ 'GNU.sparse.map': '0,5', 'GNU.sparse.size': '99999' }), file('a', 'hello')), done(['a'])],
])('%s', async (_, archive, result) => {
  expect(await unpackAll(archive)).toEqual(result)
})

test.each([
  [
    'continued from another volume',
    tar(file('a', 'x', { type: 'M' })),
    'tar entry "a" that is continued from another volume',
  ],
  ['of an unknown type', tar(file('a', 'x', { type: 'Z' })), 'tar entry "a" of unknown type "Z"'],
])('an entry %s is refused by its name', async (_, archive, refusal) => {
  writeFileSync(here.at('a.tar'), archive)
  for (const source of ['rootfs:a.tar', 'a.tar']) {
    expect(await unpack(source)).toMatchObject({ status: 1, stderr: expect.stringContaining(refusal) })
  }
})

const attribute = (name: string, value: string): Buffer => tar(pax({ [`SCHILY.xattr.${name}`]: value }), file('a'))

test.each([
  [
    'an attribute with a long name',
    attribute(`user.${'n'.repeat(300)}`, 'x'),
    /^error: layer \S+: entry "a" has an extended attribute with a name of more than 255 bytes, "user\.n+"\.\.\.\n$/,
  ],
  [
    'an attribute with a long value',
    attribute('user.a', 'x'.repeat(70_000)),
    /^error: layer \S+: entry "a" has an extended attribute "user\.a" of more than 65536 bytes\n$/,
  ],
  [
    'an attribute without a name',
    attribute('', 'x'),
    /^error: layer \S+: entry "a" has an extended attribute without a name\n$/,
  ],
  [
    'a capability that is none',
    attribute('security.capability', 'x'),
    /^error: cannot set the extended attribute "security\.capability" of "a": invalid argument \(EINVAL\)\n$|needs root/,
  ],
  [
    'a damaged gzip file',
    gzipSync(Buffer.alloc(9999)).fill(7, 20, 24),
    /^error: (?:layer )?a\.tar: gzip stream with damaged data: [a-z -]+\n$/,
  ],
  [
    'half of a zstd file',
    Buffer.from('28b52ffd', 'hex'),
    /^error: (?:layer )?a\.tar: zstd stream with damaged data: unexpected EOF\n$/,
  ],
  [
    'half of an xz file',
    Buffer.from('fd377a585a00', 'hex'),
    /^error: (?:layer )?a\.tar: xz stream with damaged data: [A-Z][a-z ]+\n$/,
  ],
  [
    'half of a bzip2 file',
    Buffer.from('BZh'),
    /^error: (?:layer )?a\.tar: bzip2 stream with damaged data: Compressed file ends unexpectedly\n$/,
  ],
])('%s is an error that names the file, and says what is wrong in words', async (_, archive, message) => {
  writeFileSync(here.at('a.tar'), archive)
  for (const source of ['rootfs:a.tar', 'a.tar']) {
    const { stderr } = await unpack(source)
    expect(stderr).toMatch(message)
  }
})

test('eStargz is an ordinary layer: its table and its landmark are files of the rootfs, as for docker and containerd', async () => {
  const members = [file('a', 'one'), file('.no.prefetch.landmark', '\x0f'), file('stargz.index.json', '{"version":1}')]
  const footer = gzipSync(Buffer.concat([Buffer.alloc(1024)]))
  const blob = Buffer.concat([...members.map((member) => gzipSync(member)), footer, gzipSync('')])
  const diffID = sha256(Buffer.concat([...members, Buffer.alloc(1024)]))
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip'
  const annotations = { 'containerd.io/snapshot/stargz/toc.digest': sha256('{"version":1}') }
  const descriptor = { mediaType, digest: sha256(blob), size: blob.length, annotations }
  writeFiles(here.at('layout'), layoutFiles({ one: makeImage([{ blob, diffID, descriptor }]) }))
  expect(await unpack('oci:layout:one')).toMatchObject({ status: 0, stderr: '' })
  expect(readdirSync(here.at('bundle/rootfs')).sort()).toEqual(['.no.prefetch.landmark', 'a', 'stargz.index.json'])
  expect(readFileSync(here.at('bundle/rootfs/a'), 'utf8')).toBe('one')
  expect(statSync(here.at('bundle/rootfs/stargz.index.json')).size).toBe(13)
})
