import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { call } from '../cli/call.ts'
import { attributes, describeTree } from '../layer/oracle.ts'
import { directory, file, hardlink, pax, symlink, tar } from '../layer/tar/builder.ts'
import { library } from '../library.ts'
import { startRegistry } from '../registry/fake-registry.ts'
import { requires } from '../requirements.ts'
import { layoutFiles, makeImage, makeLayer, writeFiles } from '../source/build-image.ts'

const { exportRootfs, exportToFile, unpack } = library

process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')

let top = ''
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'export-'))
})
afterEach(() => rmSync(top, { recursive: true }))

const at = (name: string): string => join(top, name)

/** One of everything that a rootfs can have. */
const everything = tar(
  directory('.', { mode: 0o711, mtime: 77 }),
  directory('etc', { mtime: 1000 }),
  pax({ mtime: '1700000000.123456789', 'SCHILY.xattr.user.any': '\0\xff' }),
  file('etc/passwd', 'root:x:0:0', { mode: 0o640, gid: 42 }),
  directory('usr', { mtime: 2 }),
  directory('usr/bin', { mode: 0o2755, uid: 3, gid: 4, mtime: 3 }),
  pax({ 'SCHILY.xattr.security.capability': '\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0' }),
  file('usr/bin/ping', 'ELF', { mode: 0o4755, mtime: 4 }),
  hardlink('usr/bin/arping', 'usr/bin/ping'),
  file('usr/bin/caf\xe9', 'latin', { mtime: 5 }),
  pax({ path: `usr/${'long/'.repeat(60)}file` }),
  file('x', 'deep', { mtime: 6 }),
  symlink('lib', `usr/${'l'.repeat(90)}`, { mtime: 7, uid: 9 }),
  pax({ mtime: '-1.5' }),
  symlink('old', '/gone'),
  directory('dev', { mtime: 8 }),
  file('dev/sda1', '', { type: '4', major: 259, minor: 70_000, mode: 0o660, gid: 6, mtime: 9 }),
  file('dev/fifo', '', { type: '6', mtime: 10 }),
  file('big', 'b'.repeat(3_000_000), { mtime: 11 }),
)

async function bundleOf(archive: Buffer, name: string): Promise<string> {
  writeFileSync(at(`${name}.tar`), archive)
  return (await unpack(`rootfs:${at(`${name}.tar`)}`, { out: at(name) })).bundle
}

async function exported(bundle: string): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of exportRootfs({ bundle })) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}

requires('root').test('a rootfs that is exported and unpacked exports to the same bytes', async () => {
  const first = await exported(await bundleOf(everything, 'one'))
  const second = await exported(await bundleOf(first, 'two'))
  expect(second.equals(first)).toBe(true)
  expect(describeTree(at('two/rootfs'))).toEqual(describeTree(at('one/rootfs')))
})

requires('root', 'getfattr').test('GNU tar makes the same tree of it', async () => {
  const bundle = await bundleOf(everything, 'bundle')
  await exportToFile(at('rootfs.tar'), exportRootfs({ bundle }))
  mkdirSync(at('gnu'))
  execFileSync('tar', ['-xpf', at('rootfs.tar'), '--numeric-owner', '--xattrs', '--xattrs-include=*', '-C', at('gnu')])
  expect(describeTree(at('gnu'))).toEqual(describeTree(join(bundle, 'rootfs')))
  expect(attributes(at('gnu'))).toEqual(attributes(join(bundle, 'rootfs')))
  expect(readFileSync(at('gnu/big'), 'latin1')).toBe('b'.repeat(3_000_000))
})

test('the order in which files were made does not show', async () => {
  const names = ['b', 'a', 'a.b', 'a-b']
  const inOrder = (order: readonly string[]): Promise<string> =>
    bundleOf(tar(...order.map((name) => file(`d/${name}`, name))), order.join('+'))
  const hashes = [names, [...names].reverse()].map(async (order) =>
    createHash('sha256')
      .update(await exported(await inOrder(order)))
      .digest('hex'),
  )
  const [first, second] = await Promise.all(hashes)
  expect(first).toBe(second)
})

test('a socket is left out with a warning', async () => {
  const bundle = await bundleOf(tar(file('a')), 'bundle')
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(join(bundle, 'rootfs/socket'), resolve))
  const warnings: string[] = []
  for await (const _ of exportRootfs({ bundle, warn: (message) => warnings.push(message) }));
  server.close()
  expect(warnings).toEqual(['"socket" is a socket, which no archive can hold; it is left out'])
})

test('a file that cannot be written whole does not appear', async () => {
  const bundle = await bundleOf(tar(file('a', 'b')), 'bundle')
  const stopped = { bundle, signal: AbortSignal.abort(new Error('stopped')) }
  await expect(exportToFile(at('out.tar'), exportRootfs(stopped))).rejects.toThrow('stopped')
  await expect(exportToFile(at('missing/out.tar'), exportRootfs({ bundle }))).rejects.toThrow(
    expect.objectContaining({ code: 'ERR_FILE_SYSTEM' }),
  )
  expect(readdirSync(top).sort()).toEqual(['bundle', 'bundle.tar'])
})

test('an image is exported as a bundle of it is, from a file or a registry, and nothing is left of that', async () => {
  const layers = [await makeLayer({ a: 'x', b: 'y' }), await makeLayer({ '.wh.a': '', 'c/d': 'z' })]
  const image = makeImage(layers)
  writeFiles(at('layout'), layoutFiles({ v1: image }))
  await using registry = await startRegistry()
  for (const blob of [image.config, ...layers.map((layer) => layer.blob)]) registry.addBlob(blob)
  registry.addManifest('app', '1', image.manifest.toString())
  await unpack(`oci:${at('layout')}`, { out: at('bundle') })
  const wanted = await exported(at('bundle'))
  const temporary = () => readdirSync(tmpdir()).filter((name) => name.startsWith('bundle-tool-export-'))
  const before = temporary()
  for (const name of [
    `oci:${at('layout')}`,
    at('layout'),
    `${registry.host}/app:1`,
    `docker://${registry.host}/app:1`,
  ]) {
    const options = ['--store', at('store'), '--platform', 'linux/amd64', '--output', at('image.tar')]
    expect(await call(['export', name, ...options]), name).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(readFileSync(at('image.tar')).equals(wanted), name).toBe(true)
  }
  const failed = await call(['export', `oci:${at('nowhere')}`, '--output', at('none.tar')])
  expect(failed).toMatchObject({ status: 1, stderr: expect.stringContaining('nowhere') })
  expect(readdirSync(top)).not.toContain('none.tar')
  expect(temporary().filter((name) => !before.includes(name))).toEqual([])
})
