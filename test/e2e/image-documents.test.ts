import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { type FakeRegistry, sha256, startRegistry } from '../registry/fake-registry.ts'
import {
  dockerFiles,
  layoutFiles,
  makeImage,
  makeLayer,
  makeTar,
  type TestImage,
  writeFiles,
} from '../source/build-image.ts'
import { forms, ImageCommands, serve } from './image-command.ts'

const form = forms['bin/bundle-tool.js'] ?? []
const here = new ImageCommands()
const run = (...args: readonly string[]) => here.run(form, args)
const places = ['bundle', 'store', 'layout', 'copy', 'image.tar', 'copy.tar']
afterEach(() => {
  for (const name of places) rmSync(here.at(name), { recursive: true, force: true })
})
afterAll(() => here[Symbol.dispose]())

const unpack = (source: string, ...more: readonly string[]) =>
  run('unpack', '--quiet', source, '--out', 'bundle', ...more)
const pull = (image: string, ...more: readonly string[]) =>
  run('pull', '--quiet', image, '--out', 'bundle', '--store', 'store', ...more)
const isDone = { status: 0, stderr: '' }
const file = () => readFileSync(here.at('bundle/rootfs/file'), 'utf8')
const forget = () => rmSync(here.at('bundle'), { recursive: true, force: true })

const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
}

const describeJson = (mediaType: string, content: Buffer) => ({
  mediaType,
  digest: sha256(content),
  size: content.byteLength,
})

/** An image whose manifest has other members. */
function withManifest(image: TestImage, change: (manifest: { layers: object[]; config: object }) => object): TestImage {
  const manifest = Buffer.from(JSON.stringify(change(JSON.parse(image.manifest.toString()))))
  return {
    ...image,
    manifest,
    manifestDescriptor: { ...image.manifestDescriptor, ...describeJson(types.manifest, manifest) },
  }
}

async function withRegistry(use: (registry: FakeRegistry) => Promise<void>): Promise<void> {
  await using registry = await startRegistry()
  await use(registry)
}

const simple = async (content = 'x') => makeImage([await makeLayer({ file: content })])

/** A zstd stream as pzstd writes it: a skippable frame with the size of the next frame, here of bytes as they are. */
function zstd(content: Buffer): Buffer {
  const blocks: Buffer[] = []
  for (let at = 0; at < content.length; at += 65_536) {
    const block = content.subarray(at, at + 65_536)
    const header = Buffer.alloc(3)
    header.writeUIntLE((block.length << 3) | (at + 65_536 >= content.length ? 1 : 0), 0, 3)
    blocks.push(header, block)
  }
  const frame = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0]), ...blocks])
  frame.writeUInt32LE(content.length, 5)
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 0, 0, 0, 0])
  skippable.writeUInt32LE(frame.length, 8)
  return Buffer.concat([skippable, frame])
}

describe.each([
  ['application/vnd.docker.image.rootfs.diff.tar.zstd', zstd],
  ['application/vnd.oci.image.layer.v1.tar+zstd', zstd],
  ['application/vnd.docker.image.rootfs.foreign.diff.tar', (tar: Buffer) => tar],
  ['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', (tar: Buffer) => gzipSync(tar)],
] as const)('a layer of the type %s', (mediaType, compress) => {
  test('is pulled, unpacked and copied', async () => {
    const tar = await makeTar({ file: 'x' })
    const blob = compress(tar)
    const image = makeImage([{ blob, diffID: sha256(tar), descriptor: describeJson(mediaType, blob) }])
    await withRegistry(async (registry) => {
      serve(registry, image)
      expect(await pull(`${registry.host}/app:1`)).toMatchObject(isDone)
      expect(file()).toBe('x')
      forget()
      const copied = await run('copy', '--quiet', '--foreign-layers', `${registry.host}/app:1`, 'oci-archive:copy.tar')
      expect(copied).toMatchObject(isDone)
      writeFileSync(here.at('image.tar'), compress(readFileSync(here.at('copy.tar'))))
      expect(await unpack('image.tar')).toMatchObject(isDone)
      expect(file()).toBe('x')
    })
  })
})

describe('a list that Go wrote as null', () => {
  test('is an empty layout, which takes an image', async () => {
    const image = await simple()
    writeFiles(here.at('layout'), layoutFiles({ one: image }))
    writeFiles(here.at('copy'), {
      'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
      'index.json': '{"schemaVersion":2,"manifests":null}',
    })
    expect(await unpack('oci:copy')).toMatchObject({ status: 1, stderr: 'error: copy has 0 images\n' })
    expect(await run('list-tags', 'oci:copy')).toMatchObject({ ...isDone, stdout: '' })
    expect(await run('copy', '--quiet', 'oci:layout:one', 'oci:copy:two')).toMatchObject(isDone)
    expect(await unpack('oci:copy:two')).toMatchObject(isDone)
  })

  test('stands in an archive of Docker 25.0 beside its own table', async () => {
    const image = await simple()
    const tar = await makeTar({
      ...dockerFiles([{ tags: ['app:1'], image }]),
      'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
      'index.json': '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":null}',
    })
    writeFileSync(here.at('image.tar'), tar)
    expect(await unpack('image.tar')).toMatchObject(isDone)
    expect(await run('copy', '--quiet', './image.tar', 'oci:copy:1')).toMatchObject(isDone)
  })
})

test.each([
  ['no layers', { rootfs: { type: 'layers' } }, (manifest: object) => ({ ...manifest, layers: [] })],
  [
    'layers of null',
    { rootfs: { type: 'layers', diff_ids: null } },
    (manifest: object) => ({ ...manifest, layers: null }),
  ],
])('an image with %s becomes a bundle without files', async (_, config, change) => {
  const image = withManifest(makeImage([], { config }), change)
  await withRegistry(async (registry) => {
    serve(registry, image)
    expect(await pull(`${registry.host}/app:1`)).toMatchObject(isDone)
    forget()
    expect(await run('copy', '--quiet', `${registry.host}/app:1`, 'docker-archive:copy.tar:app:1')).toMatchObject(
      isDone,
    )
    expect(await unpack('copy.tar')).toMatchObject(isDone)
    expect(await run('inspect', './copy.tar')).toMatchObject({
      ...isDone,
      stdout: expect.stringContaining('layers:     0'),
    })
  })
})

test('an image without a platform is one for everybody who does not ask for a platform', async () => {
  const { layers } = await simple()
  const image = makeImage(layers, { config: { architecture: undefined, os: undefined } })
  const bare = { ...image, manifestDescriptor: describeJson(types.manifest, image.manifest) } as TestImage
  writeFiles(here.at('layout'), layoutFiles({ bare, listed: image }))
  expect(await unpack('oci:layout:bare')).toMatchObject(isDone)
  forget()
  expect(await unpack('oci:layout:listed', '--platform', 'linux/amd64')).toMatchObject(isDone)
  forget()
  expect(await unpack('oci:layout:bare', '--platform', 'linux/amd64')).toMatchObject({
    status: 1,
    stderr:
      'error: layout:bare does not say for which platform it is, and not for linux/amd64\n' +
      '  hint: leave out --platform if the image is for this host\n',
  })
  expect(await run('inspect', 'oci:layout:bare')).toMatchObject({
    ...isDone,
    stdout: expect.stringContaining('platforms:  unknown/unknown'),
  })
  await withRegistry(async (registry) => {
    serve(registry, image)
    expect(await pull(`${registry.host}/app:1`)).toMatchObject(isDone)
    expect(await run('images', '--store', 'store')).toMatchObject({
      ...isDone,
      stdout: expect.stringContaining('app:1'),
    })
  })
})

/** A registry with an index of these entries as `app:1`. */
async function withIndex(
  image: TestImage,
  entries: readonly unknown[],
  use: (name: string, registry: FakeRegistry) => Promise<void>,
): Promise<void> {
  await withRegistry(async (registry) => {
    serve(registry, image)
    registry.addManifest('app', 'all', { schemaVersion: 2, mediaType: types.index, manifests: entries }, types.index)
    await use(`${registry.host}/app`, registry)
  })
}

describe('an odd entry of an index', () => {
  test.each([
    ['an unknown algorithm', { digest: `blake3:${'0'.repeat(64)}` }, '/manifests/0/digest must be sha256'],
    ['no size', { size: undefined }, '/manifests/0/size is missing'],
    ['a platform of nothing but numbers', { platform: { os: 1 } }, '/manifests/0/platform/os must be a string, not 1'],
  ])('with %s does not spoil the others', async (_, change, fault) => {
    const image = await simple()
    const good = image.manifestDescriptor
    await withIndex(image, [{ ...good, ...change }, good], async (name) => {
      expect(await pull(`${name}:all`, '--platform', 'linux/amd64')).toMatchObject(isDone)
      expect(await run('inspect', `${name}:all`)).toMatchObject(isDone)
      expect(await run('copy', '--quiet', '--platform', 'linux/amd64', `${name}:all`, 'oci:copy:1')).toMatchObject(
        isDone,
      )
      const missing = await unpackMissing(name)
      expect(missing.stderr).toContain(fault)
      const all = await run('copy', '--quiet', '--all', `${name}:all`, 'oci:copy:all')
      expect(all).toMatchObject({ status: 1, stderr: expect.stringContaining(fault.split(' ')[0] ?? '') })
    })
  })

  const unpackMissing = (name: string) =>
    run('pull', `${name}:all`, '--platform', 'linux/s390x', '--out', 'missing', '--store', 'store')

  test('stays in a layout to which an image is added', async () => {
    const image = await simple()
    const files = layoutFiles({ one: image })
    const odd = { mediaType: types.manifest, digest: 'md5:0', size: 1, annotations: { mine: 'kept' } }
    const index = JSON.parse(String(files['index.json']))
    files['index.json'] = JSON.stringify({ ...index, manifests: [odd, ...index.manifests] })
    writeFiles(here.at('layout'), files)
    expect(await unpack('oci:layout')).toMatchObject(isDone)
    expect(await run('copy', '--quiet', 'oci:layout:one', 'oci:layout:two')).toMatchObject(isDone)
    const { manifests } = JSON.parse(readFileSync(here.at('layout/index.json'), 'utf8'))
    expect(manifests).toHaveLength(3)
    expect(manifests).toContainEqual(odd)
  })

  test('with an empty platform has none', async () => {
    const image = await simple()
    const bare = { ...image.manifestDescriptor, platform: {} }
    await withIndex(image, [bare], async (name) => {
      expect(await pull(`${name}:all`)).toMatchObject(isDone)
    })
  })
})

describe('images without platforms or names', () => {
  test('of an index are listed by digest, and chosen by it', async () => {
    const [one, two] = [await simple('one'), await simple('two')]
    const entries = [one, two].map(({ manifest }) => describeJson(types.manifest, manifest))
    await withIndex(one, entries, async (name, registry) => {
      serve(registry, two)
      const digests = entries.map(({ digest }) => digest)
      expect(await pull(`${name}:all`)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining(`hint: name one without a platform by its digest: ${digests.join(', ')}\n`),
      })
      expect(await pull(`${name}@${digests[1]}`)).toMatchObject(isDone)
      expect(file()).toBe('two')
      forget()
      expect(await run('copy', '--quiet', '--all', `${name}:all`, 'oci:layout:all')).toMatchObject(isDone)
      expect((await unpack('oci:layout:all')).stderr).toContain(digests.join(', '))
      expect(await unpack(`oci:layout:${digests[1]}`)).toMatchObject(isDone)
      expect(file()).toBe('two')
      forget()
      expect(await unpack(`oci:layout:@${digests[0]}`)).toMatchObject(isDone)
      expect(file()).toBe('one')
    })
  })

  test('of a layout are listed by number, and chosen by it', async () => {
    const [one, two] = [await simple('one'), await simple('two')]
    const files = layoutFiles({ one, two })
    const manifests = [one, two].map(({ manifest }) => describeJson(types.manifest, manifest))
    files['index.json'] = JSON.stringify({ schemaVersion: 2, manifests })
    writeFiles(here.at('layout'), files)
    writeFileSync(here.at('image.tar'), await makeTar(files))
    for (const place of ['oci:layout', 'oci-archive:image.tar']) {
      expect(await run('list-tags', place)).toMatchObject({ ...isDone, stdout: '@0\n@1\n' })
      expect((await unpack(place)).stderr).toMatch(/ has 2 images\n {2}hint: choose one of: @0, @1\n$/)
      expect(await unpack(`${place}:@1`)).toMatchObject(isDone)
      expect(file()).toBe('two')
      forget()
      expect((await run('inspect', `${place}:@1`)).stdout).toContain(sha256(two.manifest))
      expect((await unpack(`${place}:@2`)).stderr).toMatch(/ has no image "@2"\n {2}hint: choose one of: @0, @1\n$/)
    }
    expect(await run('copy', 'oci:layout:@1', 'oci:layout:@0')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('"@0" chooses an image of a place, and names none in oci:layout:@0'),
    })
  })
})

describe('archives of other times', () => {
  test('Jib before 2.3 wrote the table with names in lower case', async () => {
    const image = await simple()
    const [layer] = image.layers
    const tar = await makeTar({
      'config.json': image.config,
      [`${layer?.diffID.slice(7)}.tar.gz`]: layer?.blob ?? '',
      'manifest.json': JSON.stringify([
        { config: 'config.json', repoTags: ['app:1'], layers: [`${layer?.diffID.slice(7)}.tar.gz`] },
      ]),
    })
    writeFileSync(here.at('image.tar'), tar)
    expect(await unpack('image.tar')).toMatchObject(isDone)
    expect(file()).toBe('x')
    expect(await run('list-tags', './image.tar')).toMatchObject({ ...isDone, stdout: 'app:1\n' })
    expect(await run('copy', '--quiet', 'docker-archive:image.tar:app:1', 'oci:copy:1')).toMatchObject(isDone)
  })

  test('Docker before 1.10 wrote none, which is refused in a sentence', async () => {
    const id = 'ab'.repeat(32)
    const tar = await makeTar({
      [`${id}/VERSION`]: '1.0',
      [`${id}/json`]: JSON.stringify({ id, architecture: 'amd64', os: 'linux' }),
      [`${id}/layer.tar`]: await makeTar({ file: 'x' }),
      repositories: JSON.stringify({ app: { latest: id } }),
    })
    writeFileSync(here.at('image.tar'), tar)
    const refusal = (path: string) => ({
      status: 1,
      stderr:
        `error: ${path} is an archive of Docker before 1.10, which has no manifest.json\n` +
        '  hint: load it with Docker 1.10 to 20.10, and save the image again\n',
    })
    expect(await unpack('image.tar')).toMatchObject(refusal('image.tar'))
    expect(await unpack('docker-archive:image.tar')).toMatchObject(refusal('image.tar'))
    expect(await run('inspect', './image.tar')).toMatchObject(refusal('./image.tar'))
    expect(await run('copy', './image.tar', 'oci:copy')).toMatchObject(refusal('./image.tar'))
  })

  test('a config that is named by another digest is taken with a warning, by every command', async () => {
    const image = await simple()
    const files = dockerFiles([{ tags: ['app:1'], image }])
    const right = `${sha256(image.config).slice(7)}.json`
    const wrong = `${'0'.repeat(64)}.json`
    const table = String(files['manifest.json']).replace(right, wrong)
    writeFileSync(here.at('image.tar'), await makeTar({ ...files, [wrong]: image.config, 'manifest.json': table }))
    const warning = (path: string) =>
      `warning: image config "${wrong}" of ${path} does not have the digest in its name\n`
    expect(await unpack('image.tar')).toMatchObject({ status: 0, stderr: warning('image.tar') })
    for (const args of [
      ['inspect', './image.tar'],
      ['copy', '--quiet', './image.tar', 'oci:copy:1'],
    ]) {
      expect(await run(...args)).toMatchObject({ status: 0, stderr: warning('./image.tar') })
    }
  })

  test('a blob that is named by another digest is not', async () => {
    const image = await simple()
    const files = dockerFiles([{ tags: ['app:1'], image }])
    const wrong = `blobs/sha256/${'0'.repeat(64)}`
    const table = String(files['manifest.json']).replace(`${sha256(image.config).slice(7)}.json`, wrong)
    writeFileSync(here.at('image.tar'), await makeTar({ ...files, [wrong]: image.config, 'manifest.json': table }))
    for (const args of [
      ['unpack', 'image.tar', '--out', 'bundle'],
      ['inspect', './image.tar'],
      ['copy', './image.tar', 'oci:copy:1'],
    ]) {
      expect(await run(...args)).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/^error: image config "blobs.* does not have the digest in its name\n/),
      })
    }
  })
})

test('bytes of an image config that are not UTF-8 are read as docker and podman do', async () => {
  const { layers } = await simple()
  const text = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    author: 'Ren\xe9',
    config: { Env: ['NAME=Ren\xe9'], Labels: { by: 'Ren\xe9' } },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffID }) => diffID) },
  })
  const config = Buffer.from(text, 'latin1')
  const image = withManifest({ ...makeImage(layers), config }, (manifest) => ({
    ...manifest,
    config: describeJson(types.config, config),
  }))
  writeFiles(here.at('layout'), layoutFiles({ one: image }))
  expect(await unpack('oci:layout:one')).toMatchObject(isDone)
  const { process, annotations } = JSON.parse(readFileSync(here.at('bundle/config.json'), 'utf8'))
  expect(process.env).toContain('NAME=Ren\ufffd')
  expect(annotations).toMatchObject({ by: 'Ren\ufffd', 'org.opencontainers.image.author': 'Ren\ufffd' })
  expect(await run('copy', '--quiet', 'oci:layout:one', 'oci:copy:1')).toMatchObject(isDone)
})

test('an image whose layers are not as many as its config says is neither unpacked nor copied', async () => {
  const layers = [await makeLayer({ file: 'x' }), await makeLayer({ other: 'y' })]
  const image = withManifest(makeImage(layers), (manifest) => ({ ...manifest, layers: manifest.layers.slice(1) }))
  writeFiles(here.at('layout'), layoutFiles({ one: image }))
  const files = dockerFiles([{ tags: ['app:1'], image: makeImage(layers) }])
  const [entry] = JSON.parse(String(files['manifest.json']))
  files['manifest.json'] = JSON.stringify([{ ...entry, Layers: entry.Layers.slice(1) }])
  writeFileSync(here.at('image.tar'), await makeTar(files))
  await withRegistry(async (registry) => {
    for (const source of ['oci:layout:one', 'docker-archive:image.tar']) {
      for (const target of ['oci:copy:1', 'oci-archive:copy.tar', `${registry.host}/app:1`]) {
        expect(await run('copy', '--quiet', source, target)).toMatchObject({
          status: 1,
          stderr: expect.stringMatching(/ has 1 layers, and its image config 2 diff_ids\n/),
        })
      }
      expect((await unpack(source)).stderr).toMatch(/ 1 layers, and its image config 2 diff_ids\n/)
    }
    expect(registry.requests.filter(({ method }) => method === 'PUT')).toEqual([])
  })
})

/** Artifacts as the tools write them: a chart of Helm's, a file of ORAS', a plugin of Docker's. */
const artifacts: Readonly<Record<string, { readonly config: string; readonly layer: string; readonly type?: string }>> =
  {
    'application/vnd.cncf.helm.config.v1+json': {
      config: 'application/vnd.cncf.helm.config.v1+json',
      layer: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
    },
    'application/vnd.example.sbom': {
      config: 'application/vnd.oci.empty.v1+json',
      layer: 'text/spdx+json',
      type: 'application/vnd.example.sbom',
    },
    'application/vnd.docker.plugin.v1+json': {
      config: 'application/vnd.docker.plugin.v1+json',
      layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    },
  }

test.each(Object.entries(artifacts))('an artifact of the type %s is no image, and copied', async (named, artifact) => {
  const [config, layer] = [Buffer.from('{}'), gzipSync(await makeTar({ 'Chart.yaml': 'name: x' }))]
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    ...(artifact.type !== undefined && { artifactType: artifact.type }),
    config: describeJson(artifact.config, config),
    layers: [describeJson(artifact.layer, layer)],
  }
  await withRegistry(async (registry) => {
    for (const blob of [config, layer]) registry.addBlob(blob)
    const { digest } = registry.addManifest('app', '1', manifest)
    const refusal = (name: string) => ({
      status: 1,
      stderr:
        `error: ${name} is an artifact of the type "${named}" and not an image\n` +
        '  hint: fetch it with the tool that it is for; "bundle-tool copy" copies it, "bundle-tool inspect --raw" shows its manifest\n',
    })
    const name = `${registry.host}/app:1`
    expect(await pull(name)).toMatchObject(refusal(name))
    expect(await run('inspect', name)).toMatchObject(refusal(name))
    expect(await run('copy', '--quiet', name, 'docker-archive:copy.tar')).toMatchObject(refusal(name))
    expect(await run('inspect', '--raw', name)).toMatchObject({ ...isDone, stdout: JSON.stringify(manifest) })
    expect(await run('copy', '--quiet', name, 'oci:copy:1')).toEqual({ ...isDone, stdout: `${digest}\n` })
    expect(await unpack('oci:copy:1')).toMatchObject(refusal('copy:1'))
  })
})

test('the manifests of artifacts that image-spec withdrew are refused by that name', async () => {
  await withRegistry(async (registry) => {
    const mediaType = 'application/vnd.oci.artifact.manifest.v1+json'
    registry.addManifest('app', '1', { mediaType, artifactType: 'x', blobs: [] }, mediaType)
    expect(await pull(`${registry.host}/app:1`)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('is an artifact manifest, a format withdrawn before image-spec 1.1'),
    })
  })
})

test('a layer that is no file system is refused by its type, by pull and unpack', async () => {
  const image = withManifest(await simple(), (manifest) => ({
    ...manifest,
    layers: manifest.layers.map((layer) => ({
      ...layer,
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted',
    })),
  }))
  writeFiles(here.at('layout'), layoutFiles({ one: image }))
  const refusal = {
    status: 1,
    stderr: expect.stringMatching(/has the media type "[^"]+encrypted", which is not a file system layer\n {2}hint: /),
  }
  expect(await unpack('oci:layout:one')).toMatchObject(refusal)
  await withRegistry(async (registry) => {
    serve(registry, image)
    expect(await pull(`${registry.host}/app:1`)).toMatchObject(refusal)
  })
})
