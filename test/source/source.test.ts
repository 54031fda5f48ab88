import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parsePlatform } from '../../src/oci/platform.ts'
import type { Image } from '../../src/source/image.ts'
import { openSource, type SourceOptions } from '../../src/source/source.ts'
import { library } from '../library.ts'
import { sha256 } from '../registry/fake-registry.ts'
import { dockerFiles, layoutFiles, makeImage, makeLayer, makeTar, type TestImage, writeFiles } from './build-image.ts'

const { unpack } = library

const directory = mkdtempSync(join(tmpdir(), 'source-'))
afterAll(() => rmSync(directory, { recursive: true }))
const at = (name: string) => join(directory, name)

let image: TestImage
let other: TestImage
beforeAll(async () => {
  const base = await makeLayer({ 'etc/os-release': 'ID=test' })
  image = makeImage([base, await makeLayer({ top: 'x'.repeat(2000) }, false)], { cmd: ['/one'] })
  other = makeImage([base], { cmd: ['/other'], architecture: 'arm64' })
  writeFiles(at('layout'), layoutFiles({ one: image }))
  writeFiles(at('two'), layoutFiles({ one: image, other }))
  writeFileSync(at('oci.tar'), await makeTar(layoutFiles({ one: image })))
  writeFileSync(at('docker.tar'), await makeTar(dockerFiles([{ tags: ['test:1'], image }])))
  writeFileSync(at('docker.tar.gz'), gzipSync(await makeTar(dockerFiles([{ tags: ['test:1'], image }]))))
  const several = [
    { tags: ['test:1', 'ghcr.io/x/y:2'], image },
    { tags: [], image: other },
  ]
  writeFileSync(at('several.tar'), await makeTar(dockerFiles(several)))
  writeFileSync(at('rootfs.tar'), await makeTar({ 'etc/hostname': 'h' }))
})

async function collect(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks)
}

interface Read {
  readonly image: Image
  readonly digests: string[]
}

/** Opens a source and reads all of it. */
async function read(name: string, platform?: string, options?: SourceOptions): Promise<Read> {
  const source = await openSource(name, options)
  try {
    const found = await source.image(platform === undefined ? undefined : parsePlatform(platform))
    const digests = []
    for (const { open } of found.layers) digests.push(sha256(await collect(open())))
    return { image: found, digests }
  } finally {
    await source.close()
  }
}

test.each([
  ['oci:', 'layout'],
  ['oci:', 'layout:one'],
  ['oci-archive:', 'oci.tar'],
  ['oci-archive:', 'oci.tar:one'],
  ['docker-archive:', 'docker.tar'],
  ['docker-archive:', 'docker.tar:test:1'],
  ['docker-archive:', 'docker.tar.gz'],
  ['docker-archive:', 'several.tar:docker.io/library/test:1'],
  ['docker-archive:', 'several.tar:@0'],
  ['', 'layout'],
  ['', 'oci.tar'],
  ['', 'docker.tar'],
  ['', 'docker.tar.gz'],
])('%s%s gives config and layers', async (kind, name) => {
  const found = await read(kind + at(name))
  expect(found.image.config?.config?.Cmd).toEqual(['/one'])
  expect(found.image.layers.map(({ diffID }) => diffID)).toEqual(image.layers.map(({ diffID }) => diffID))
  expect(found.digests).toEqual(image.layers.map(({ descriptor }) => descriptor.digest))
})

test('a rootfs archive has files and nothing else, by name, by content or from standard input', async () => {
  const tar = readFileSync(at('rootfs.tar'))
  const stdin = (async function* () {
    yield tar
  })()
  for (const [name, options] of [
    [`rootfs:${at('rootfs.tar')}`],
    [at('rootfs.tar')],
    ['rootfs:-', { stdin }],
  ] as const) {
    const found = await read(name, undefined, options)
    expect(found.image.config).toBeUndefined()
    expect(found.digests).toEqual([sha256(tar)])
  }
})

test('an archive without files is not a rootfs, and no bundle is made of it', async () => {
  writeFileSync(at('empty'), '')
  writeFileSync(at('empty.tar'), Buffer.alloc(1024))
  writeFileSync(at('empty.tar.gz'), gzipSync(Buffer.alloc(1024)))
  for (const name of ['rootfs:empty', 'empty', 'rootfs:empty.tar', 'rootfs:empty.tar.gz', 'rootfs:-']) {
    const source = name.replace(/^(rootfs:)?(empty.*)/, `$1${directory}/$2`)
    const stdin = (async function* () {})()
    await expect(unpack(source, { out: at('bundle'), stdin }), source).rejects.toMatchObject({
      code: 'ERR_SOURCE_INVALID',
      message: expect.stringContaining('has no files: it is empty, or no tar archive'),
    })
    expect(readdirSync(directory).filter((entry) => entry.includes('bundle'))).toEqual([])
  }
})

test.each([
  ['oci:', 'two', 'ERR_IMAGE_NOT_FOUND', /one, other/],
  ['oci:', 'layout:nope', 'ERR_IMAGE_NOT_FOUND', /one/],
  ['docker-archive:', 'several.tar', 'ERR_IMAGE_NOT_FOUND', /test:1, ghcr.io\/x\/y:2, @1/],
  ['docker-archive:', 'several.tar:test:2', 'ERR_IMAGE_NOT_FOUND', /test:1/],
  ['oci:', 'nowhere', 'ERR_SOURCE_INVALID', /oci-layout/],
  ['docker-archive:', 'nowhere', 'ERR_SOURCE_INVALID', /ENOENT/],
  ['docker-archive:', 'oci.tar', 'ERR_SOURCE_INVALID', /manifest.json/],
  ['oci-archive:', 'docker.tar', 'ERR_SOURCE_INVALID', /oci-layout/],
  ['', '.', 'ERR_SOURCE_INVALID', /directory/],
  ['rootfs:', 'nowhere', 'ERR_SOURCE_INVALID', /ENOENT/],
])('%s%s is refused, and the error names the choices or the missing file', async (kind, name, code, text) => {
  const error = await read(kind + at(name)).catch((caught: unknown) => caught)
  expect(error).toMatchObject({ code })
  const { message, hint } = error as { message: string; hint?: string }
  expect(`${message} ${hint}`).toMatch(text)
})

test.each(['nokind:x', 'docker:x', 'oci:', 'rootfs:'])('%s is not a source', async (name) => {
  await expect(openSource(name)).rejects.toMatchObject({ code: 'ERR_USAGE' })
})

test('an unavailable platform is refused; a single image for another platform is taken when none is requested', async () => {
  for (const source of [`oci:${at('two')}:other`, `docker-archive:${at('several.tar')}:@1`]) {
    expect((await read(source)).image.config?.architecture).toBe('arm64')
    await expect(read(source, 'linux/amd64')).rejects.toMatchObject({ code: 'ERR_PLATFORM_UNAVAILABLE' })
  }
})

test('an index in a layout is followed to the wanted platform, attestations skipped', async () => {
  const files = layoutFiles({ one: image, other })
  const attestation = { ...image.manifestDescriptor, platform: { os: 'unknown', architecture: 'unknown' } }
  const manifests = [attestation, image.manifestDescriptor, other.manifestDescriptor]
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }))
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  files[`blobs/sha256/${sha256(index).slice(7)}`] = index
  const root = { mediaType, digest: sha256(index), size: index.byteLength }
  files['index.json'] = JSON.stringify({ schemaVersion: 2, manifests: [root] })
  writeFiles(at('nested'), files)
  expect((await read(`oci:${at('nested')}`, 'linux/amd64')).image.config?.config?.Cmd).toEqual(['/one'])
  expect((await read(`oci:${at('nested')}`, 'linux/arm64/v8')).image.config?.config?.Cmd).toEqual(['/other'])
  await expect(read(`oci:${at('nested')}`, 'linux/s390x')).rejects.toMatchObject({
    code: 'ERR_PLATFORM_UNAVAILABLE',
    hint: expect.stringContaining('linux/amd64, linux/arm64'),
  })
})

describe('hostile or broken', () => {
  const layerPath = () => `blobs/sha256/${image.layers[1]?.descriptor.digest.slice(7)}`

  test('a layout with a changed layer is refused when the layer is read', async () => {
    writeFiles(at('changed'), { ...layoutFiles({ one: image }), [layerPath()]: 'something else' })
    await expect(read(`oci:${at('changed')}`)).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  })

  test('a blob that is a symlink to a file of the host is not read (crane 7f937fe)', async () => {
    writeFiles(at('linked'), layoutFiles({ one: image }))
    rmSync(join(at('linked'), layerPath()))
    symlinkSync('/etc/hostname', join(at('linked'), layerPath()))
    await expect(read(`oci:${at('linked')}`)).rejects.toMatchObject({ code: 'ERR_STORE_INVALID' })
  })

  test('an image config without the digest in its name, as a blob of a layout has it, is refused', async () => {
    const files = dockerFiles([{ tags: [], image }])
    const name = Object.keys(files).find((key) => key.endsWith('.json') && key !== 'manifest.json') ?? ''
    const blob = `blobs/sha256/${name.replace('.json', '')}`
    const table = String(files['manifest.json']).replace(name, blob)
    writeFileSync(at('lie.tar'), await makeTar({ ...files, [blob]: other.config, 'manifest.json': table }))
    await expect(read(`docker-archive:${at('lie.tar')}`)).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  })

  test('layer links within the archive are followed, loops are refused (crane f439624)', async () => {
    const [base] = image.layers
    const one = makeImage(base === undefined ? [] : [base])
    const files = dockerFiles([{ tags: [], image: one }])
    const name = Object.keys(files).find((key) => key.endsWith('layer.tar')) ?? ''
    const { [name]: layer, ...rest } = files
    const linked = await makeTar({
      ...rest,
      'real/layer.tar': layer ?? '',
      [name]: { type: 'symlink', linkname: '../real/layer.tar' },
    })
    writeFileSync(at('links.tar'), linked)
    expect((await read(`docker-archive:${at('links.tar')}`)).digests).toEqual([base?.descriptor.digest])
    const circle = await makeTar({
      ...rest,
      [name]: { type: 'symlink', linkname: 'b' },
      [`${name.split('/')[0]}/b`]: { type: 'symlink', linkname: 'layer.tar' },
    })
    writeFileSync(at('circle.tar'), circle)
    await expect(read(`docker-archive:${at('circle.tar')}`)).rejects.toThrow(/circle/)
  })

  test('a link out of the archive finds nothing', async () => {
    const files = dockerFiles([{ tags: [], image: makeImage(image.layers.slice(0, 1)) }])
    const name = Object.keys(files).find((key) => key.endsWith('layer.tar')) ?? ''
    writeFileSync(
      at('out.tar'),
      await makeTar({ ...files, [name]: { type: 'symlink', linkname: '../../../../etc/hostname' } }),
    )
    await expect(read(`docker-archive:${at('out.tar')}`)).rejects.toMatchObject({ code: 'ERR_SOURCE_INVALID' })
  })

  test('a truncated archive is refused', async () => {
    const tar = await makeTar(dockerFiles([{ tags: [], image }]))
    for (const cut of [tar.byteLength - 2000, 3000, 700]) {
      writeFileSync(at('cut.tar'), tar.subarray(0, cut))
      await expect(read(`docker-archive:${at('cut.tar')}`)).rejects.toMatchObject({ code: 'ERR_SOURCE_INVALID' })
    }
  })

  test('a file that is not an archive is refused', async () => {
    writeFileSync(at('text'), 'x'.repeat(5000))
    await expect(read(at('text'))).rejects.toMatchObject({ code: 'ERR_SOURCE_INVALID' })
    writeFileSync(at('half.gz'), gzipSync(Buffer.alloc(100_000)).subarray(0, 60))
    await expect(read(at('half.gz'))).rejects.toMatchObject({ code: 'ERR_LAYER_INVALID' })
  })

  test('a manifest above the limit is not read', async () => {
    writeFileSync(at('large.tar'), await makeTar({ 'manifest.json': Buffer.alloc(5 << 20, ' ') }))
    await expect(read(`docker-archive:${at('large.tar')}`)).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })

  test('members named with ./ are found, and the last member of a name counts', async () => {
    const files = Object.entries(dockerFiles([{ tags: [], image }])).map(
      ([key, value]) => [`./${key}`, value] as [string, Buffer],
    )
    writeFileSync(at('dots.tar'), await makeTar([['manifest.json', 'not this'], ...files]))
    expect((await read(at('dots.tar'))).digests).toHaveLength(2)
  })

  test('a layout of another version is refused', async () => {
    mkdirSync(at('v2'))
    writeFiles(at('v2'), { ...layoutFiles({ one: image }), 'oci-layout': '{"imageLayoutVersion":"2.0.0"}' })
    await expect(read(`oci:${at('v2')}`)).rejects.toMatchObject({ code: 'ERR_SOURCE_INVALID' })
  })
})
