import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { call } from '../cli/call.ts'
import { sha256 } from '../registry/fake-registry.ts'
import { layoutFiles, makeImage, makeLayer, makeTar, type TestLayer, writeFiles } from '../source/build-image.ts'

process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'unpack-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))
const at = (name: string) => join(directory, name)

/** Unpacks an image of these layers by the command line. */
function unpack(layers: readonly TestLayer[], ...options: readonly string[]) {
  writeFiles(at('layout'), layoutFiles({ v1: makeImage(layers) }))
  return call(['unpack', `oci:${at('layout')}`, '--out', at('bundle'), ...options])
}

const members = { a: 'x'.repeat(3000), b: 'y', 'd/c': 'z' }

test.each([
  [['--max-files', '2'], 'more than 2 files'],
  [['--max-unpacked-size', '2K'], '2048 bytes'],
  [['--platform', 'linux/s390x'], 'is for linux/amd64, and not for linux/s390x'],
  [['--strict-overlay', '--keep-dirlinks'], 'not both'],
])('%j stops it, and no bundle is there', async (options, message) => {
  const { status, stderr } = await unpack([await makeLayer(members)], ...options)
  expect(stderr).toContain(message)
  expect(status).toBeGreaterThan(0)
  expect(readdirSync(directory)).toEqual(['layout'])
})

test.each([
  ['--max-files', 'many'],
  ['--max-unpacked-size', '-1'],
  ['--max-ratio', '1.5'],
])('%s %s is wrong usage', async (option, value) => {
  expect(await unpack([await makeLayer(members)], option, value)).toMatchObject({ status: 2 })
})

test('without a terminal each layer is told in lines on standard error, with --quiet nothing', async () => {
  const layers = [await makeLayer(members), await makeLayer({ e: 'f' })]
  const told = await unpack(layers, '--network', 'none')
  const short = layers.map(({ descriptor }) => descriptor.digest.slice(7, 19))
  expect(told).toEqual({
    status: 0,
    stdout: '',
    stderr: `${short[0]}: unpacked, 3 entries\n${short[1]}: unpacked, 1 entries\n`,
  })
  expect(await unpack(layers, '--force', '--quiet')).toEqual({ status: 0, stdout: '', stderr: '' })
})

test('the network that was not asked for is told in one line, but not with --quiet and --json', async () => {
  const layers = [await makeLayer(members)]
  const { stderr } = await unpack(layers)
  const which =
    process.geteuid?.() === 0 ? 'none; one by --network host, pasta' : "the host's; others by --network pasta, none"
  expect(stderr.split('\n').at(-2)).toBe(`network: ${which} ...`)
  expect((await unpack(layers, '--force', '--json')).stderr).not.toContain('network')
})

test('--json prints what was made, and an error as one too', async () => {
  const layers = [await makeLayer(members)]
  const made = await unpack(layers, '--json')
  expect(made).toMatchObject({ status: 0, stderr: '' })
  expect(JSON.parse(made.stdout)).toEqual({
    image: at('layout'),
    digest: makeImage(layers).manifestDescriptor.digest,
    bundle: at('bundle'),
  })
  const failed = await unpack(layers, '--json')
  expect(failed).toMatchObject({ status: 1, stdout: '' })
  expect(JSON.parse(failed.stderr)).toEqual({
    error: {
      code: 'ERR_BUNDLE_EXISTS',
      message: `${at('bundle')}: there is something already`,
      hint: 'choose another place, or replace it with --force',
    },
  })
  const copied = await call(['copy', '--json', `oci:${at('layout')}`, `oci-archive:${at('a.tar')}`])
  expect(JSON.parse(copied.stdout)).toEqual({
    target: `oci-archive:${at('a.tar')}`,
    digest: makeImage(layers).manifestDescriptor.digest,
  })
})

/** A layer whose blob is these bytes, and whose tar archive those. */
const layerOf = (blob: Buffer, tar: Buffer, mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip'): TestLayer => ({
  blob,
  diffID: sha256(tar),
  descriptor: { mediaType, digest: sha256(blob), size: blob.byteLength },
})

test('what follows the end of a tar archive, or of the compressed data, is in the digests and nowhere else', async () => {
  const tar = await makeTar({ file: 'x' })
  const padded = Buffer.concat([tar, Buffer.alloc(50_000), Buffer.from('behind'), Buffer.alloc(100)])
  const followed = Buffer.concat([gzipSync(tar), Buffer.from('garbage'.repeat(30_000))])
  for (const layer of [layerOf(gzipSync(padded), padded), layerOf(padded, padded), layerOf(followed, tar)]) {
    const { status } = await unpack([layer], '--force')
    expect(status).toBe(0)
    expect(readFileSync(at('bundle/rootfs/file'), 'utf8')).toBe('x')
  }
  const short = layerOf(gzipSync(padded), tar)
  expect(await unpack([short], '--force')).toMatchObject({
    stderr: expect.stringContaining('its uncompressed digest is sha256:'),
  })
  const changed = layerOf(followed, tar)
  writeFiles(at('layout'), layoutFiles({ v1: makeImage([changed]) }))
  const blob = at(`layout/blobs/sha256/${changed.descriptor.digest.slice(7)}`)
  writeFileSync(blob, Buffer.concat([followed.subarray(0, -1), Buffer.from('!')]))
  const { stderr } = await call(['unpack', `oci:${at('layout')}`, '--out', at('other')])
  expect(stderr).toContain(changed.descriptor.digest)
  expect(readdirSync(directory)).not.toContain('other')
})

test('a layer is read as its bytes say, whatever its media type', async () => {
  const tar = await makeTar({ file: 'x' })
  const types = ['tar', 'tar+gzip', 'tar+zstd'].map((suffix) => `application/vnd.oci.image.layer.v1.${suffix}`)
  for (const blob of [tar, gzipSync(tar)]) {
    for (const type of types) {
      expect(await unpack([layerOf(blob, tar, type)], '--force', '-q')).toEqual({ status: 0, stdout: '', stderr: '' })
      expect(readFileSync(at('bundle/rootfs/file'), 'utf8')).toBe('x')
    }
  }
})

test('a layer may have no entries, no bytes, or be of an image that has no layers', async () => {
  const nothing = Buffer.alloc(0)
  const end = Buffer.alloc(1024)
  const empty = [
    layerOf(end, end),
    layerOf(gzipSync(end), end),
    layerOf(nothing, nothing),
    layerOf(gzipSync(nothing), nothing),
  ]
  expect(await unpack([...empty, await makeLayer(members), ...empty], '-q')).toMatchObject({ status: 0 })
  expect(readdirSync(at('bundle/rootfs')).sort()).toEqual(['a', 'b', 'd'])
  expect(await unpack([], '-q', '--force')).toMatchObject({ status: 0 })
  expect(readdirSync(at('bundle/rootfs'))).toEqual([])
})

const processIn = (bundle: string) => JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')).process

test.each([
  ['unpack', [], true],
  ['unpack', ['--tty'], true],
  ['unpack', ['-t'], true],
  ['unpack', ['--no-tty'], false],
  ['spec', [], true],
  ['spec', ['--tty'], true],
  ['spec', ['--no-tty'], false],
] as const)('%s %j: a terminal is %s, and TERM is set with one', async (command, flags, terminal) => {
  expect(await unpack([await makeLayer(members)], ...(command === 'unpack' ? flags : []))).toMatchObject({ status: 0 })
  if (command === 'spec') expect(await call(['spec', '-b', at('bundle'), ...flags])).toMatchObject({ status: 0 })
  const { env, ...process } = processIn(at('bundle'))
  expect({ terminal: process.terminal, hasTerm: env.includes('TERM=xterm') }).toEqual({ terminal, hasTerm: terminal })
})

test('an archive of a rootfs, which has no image config, gets no terminal either with --no-tty', async () => {
  writeFileSync(at('rootfs.tar'), await makeTar({ a: 'x' }))
  const words = ['unpack', `rootfs:${at('rootfs.tar')}`, '--no-tty', '--out', at('bundle')]
  expect(await call(words)).toMatchObject({ status: 0 })
  expect(processIn(at('bundle')).terminal).toBe(false)
})

test('a rootfs without an image config can be written to, as that of an image', async () => {
  writeFileSync(at('rootfs.tar'), await makeTar({ a: 'x' }))
  expect(await call(['unpack', `rootfs:${at('rootfs.tar')}`, '--out', at('bundle')])).toMatchObject({ status: 0 })
  const { root, hostname } = JSON.parse(readFileSync(at('bundle/config.json'), 'utf8'))
  expect({ root, hostname }).toEqual({ root: { path: 'rootfs' }, hostname: 'container' })
})
