import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { call } from '../cli/call.ts'
import { library } from '../library.ts'
import { sendError, sha256, startRegistry } from '../registry/fake-registry.ts'
import { requires } from '../requirements.ts'
import {
  dockerFiles,
  layoutFiles,
  makeImage,
  makeLayer,
  makeTar,
  type TestImage,
  writeFiles,
} from '../source/build-image.ts'

const { copy, inspect, inspectRaw, listTags, push, unpack } = library

process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'copy-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const at = (name: string) => join(directory, name)
const platform = 'linux/amd64'
const env = { HOME: '/nonexistent', CONTAINERS_REGISTRIES_CONF: '/dev/null', XDG_RUNTIME_DIR: '/nonexistent' }

const testImage = async (): Promise<TestImage> =>
  makeImage([await makeLayer({ 'etc/os-release': 'ID=test', 'bin/sh': '#!' }), await makeLayer({ '.wh.bin': '' })])

/** A layout with an index of two platforms and an attestation under the tag `all`. */
async function writeMultiPlatform(path: string): Promise<{ digest: string; parts: readonly TestImage[] }> {
  const layer = await makeLayer({ common: 'c' })
  const [amd64, arm64] = [
    makeImage([layer]),
    makeImage([layer, await makeLayer({ arm: '' })], { architecture: 'arm64' }),
  ]
  const attestation = makeImage([await makeLayer({ proof: 'p' })], { architecture: 'unknown' })
  const parts = [amd64, arm64, attestation]
  const manifests = parts.map((part) =>
    part === attestation
      ? { ...part.manifestDescriptor, platform: { os: 'unknown', architecture: 'unknown' } }
      : part.manifestDescriptor,
  )
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }, undefined, 3))
  const files = { ...layoutFiles({ amd64, arm64, attestation }), [`blobs/sha256/${sha256(index).slice(7)}`]: index }
  const annotations = { 'org.opencontainers.image.ref.name': 'all' }
  const entry = { mediaType, digest: sha256(index), size: index.byteLength, annotations }
  files['index.json'] = JSON.stringify({ schemaVersion: 2, manifests: [entry] })
  writeFiles(path, files)
  return { digest: sha256(index), parts }
}

test('an image goes round all kinds of places and keeps its digest', async () => {
  const image = await testImage()
  await using registry = await startRegistry()
  writeFiles(at('layout'), layoutFiles({ v1: image }))
  const places = [
    `oci:${at('layout')}:v1`,
    `${registry.host}/team/app:1`,
    `oci-archive:${at('a.tar')}:x`,
    `docker-archive:${at('d.tar')}:example.com/app:1`,
    `docker://${registry.host}/other/app:2`,
    `oci:${at('new')}:v2`,
  ]
  for (const [index, to] of places.entries()) {
    const from = places[index - 1]
    if (from === undefined) continue
    expect(await copy(from, to, { env })).toEqual({
      target: to.replace('docker://', ''),
      digest: image.manifestDescriptor.digest,
    })
    expect(Buffer.from(await inspectRaw(to, { env })).equals(image.manifest)).toBe(true)
  }
  for (const blob of [image.config, image.manifest, ...image.layers.map((layer) => layer.blob)]) {
    expect(readFileSync(join(at('new/blobs/sha256'), sha256(blob).slice(7))).equals(blob)).toBe(true)
  }
  expect(readdirSync(directory).sort()).toEqual(['a.tar', 'd.tar', 'layout', 'new'])
})

test('blobs that a registry has are not uploaded again, and a layout takes further images', async () => {
  const image = await testImage()
  await using registry = await startRegistry()
  writeFiles(at('layout'), layoutFiles({ v1: image }))
  const uploads = () => registry.requests.filter(({ method }) => method === 'POST').length
  await push(`${registry.host}/app:1`, { from: `oci:${at('layout')}`, env })
  expect(uploads()).toBe(3)
  await push(`${registry.host}/app:2`, { from: `oci:${at('layout')}`, env })
  expect(uploads()).toBe(3)
  const other = makeImage([await makeLayer({ other: '' })])
  writeFiles(at('second'), layoutFiles({ x: other }))
  await copy(`oci:${at('second')}`, `oci:${at('layout')}:v2`, { env })
  await copy(`oci:${at('second')}`, `oci:${at('layout')}:v2`, { env })
  const { manifests } = JSON.parse(readFileSync(at('layout/index.json'), 'utf8'))
  expect(manifests.map(({ digest }: { digest: string }) => digest)).toEqual([
    image.manifestDescriptor.digest,
    other.manifestDescriptor.digest,
  ])
})

test('--all copies an index with everything below it, without it the image for one platform', async () => {
  const { digest, parts } = await writeMultiPlatform(at('layout'))
  const [amd64, arm64] = parts.map(({ manifestDescriptor }) => manifestDescriptor.digest)
  await using registry = await startRegistry()
  expect(await copy(`oci:${at('layout')}:all`, `${registry.host}/app:all`, { all: true, env })).toEqual({
    target: `${registry.host}/app:all`,
    digest,
  })
  expect(await copy(`${registry.host}/app:all`, `oci:${at('again')}:all`, { all: true, env })).toMatchObject({ digest })
  expect(readdirSync(at('again/blobs/sha256')).sort()).toEqual(readdirSync(at('layout/blobs/sha256')).sort())
  const one = { platform: 'linux/arm64', env }
  expect(await copy(`${registry.host}/app:all`, `oci:${at('one')}:arm`, one)).toMatchObject({ digest: arm64 })
  await expect(
    copy(`oci:${at('layout')}:all`, `docker-archive:${at('x.tar')}`, { all: true, env }),
  ).rejects.toMatchObject({ code: 'ERR_NOT_SUPPORTED' })
  expect(existsSync(at('x.tar'))).toBe(false)
  const missing = copy(`${registry.host}/app:all`, `oci:${at('none')}`, { platform: 'linux/s390x', env })
  await expect(missing).rejects.toMatchObject({
    code: 'ERR_PLATFORM_UNAVAILABLE',
    hint: 'choose with --platform: linux/amd64, linux/arm64; or copy --all',
  })
  expect(await inspect(`${registry.host}/app:all`, { platform, env })).toMatchObject({
    digest,
    platforms: ['linux/amd64', 'linux/arm64'],
    image: { digest: amd64, config: { config: { Cmd: ['/bin/true'] } }, layers: [{ size: expect.any(Number) }] },
  })
})

test('the platforms of an index within an index are shown', async () => {
  const { digest } = await writeMultiPlatform(at('layout'))
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const { size } = JSON.parse(readFileSync(at('layout/index.json'), 'utf8')).manifests[0]
  const outer = JSON.stringify({ schemaVersion: 2, mediaType, manifests: [{ mediaType, digest, size }] })
  writeFileSync(at(`layout/blobs/sha256/${sha256(outer).slice(7)}`), outer)
  const manifests = [{ mediaType, digest: sha256(outer), size: outer.length }]
  writeFileSync(at('layout/index.json'), JSON.stringify({ schemaVersion: 2, manifests }))
  const { platforms, image } = await inspect(`oci:${at('layout')}`, { env, platform: 'linux/arm64' })
  expect([platforms, image?.platform]).toEqual([['linux/amd64', 'linux/arm64'], 'linux/arm64'])
})

test('a docker archive without a manifest gets one, the same each time, whose layers unpack', async () => {
  const image = await testImage()
  writeFileSync(at('d.tar'), await makeTar(dockerFiles([{ tags: ['a:1'], image }])))
  const first = await copy(`docker-archive:${at('d.tar')}:a:1`, `oci:${at('one')}:x`, { env })
  expect(await copy(`docker-archive:${at('d.tar')}`, `oci:${at('two')}:x`, { env })).toEqual({
    ...first,
    target: `oci:${at('two')}:x`,
  })
  await unpack(`oci:${at('one')}:x`, { out: at('bundle'), platform })
  expect(readFileSync(at('bundle/rootfs/etc/os-release'), 'utf8')).toBe('ID=test')
  expect(existsSync(at('bundle/rootfs/bin'))).toBe(false)
})

/** An image whose second layer is foreign, with these addresses. */
async function foreignImage(urls: readonly string[]): Promise<TestImage> {
  const [free, bound] = [await makeLayer({ free: 'f' }), await makeLayer({ bound: 'b' })]
  const mediaType = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip'
  return makeImage([free, { ...bound, descriptor: { ...bound.descriptor, mediaType, urls } }])
}

test('a layer that is not for distribution is left out with a warning, and copied when it is asked for', async () => {
  await using publisher = await startRegistry((request, response) => {
    if (request.url !== '/layer') return undefined
    response.end(image.layers[1]?.blob)
    return true
  })
  await using registry = await startRegistry()
  const image: TestImage = await foreignImage([`http://${publisher.host}/layer`])
  const { digest } = image.manifestDescriptor
  const [free, bound] = image.layers.map(({ descriptor }) => descriptor.digest)
  registry.addBlob(image.config)
  registry.addBlob(image.layers[0]?.blob ?? '')
  registry.addManifest('app', '1', image.manifest.toString())
  const from = `${registry.host}/app:1`
  const warnings: string[] = []
  const warn = (message: string) => void warnings.push(message)
  const blobs = (layout: string) => readdirSync(at(`${layout}/blobs/sha256`)).map((name) => `sha256:${name}`)

  expect(await copy(from, `oci:${at('without')}:1`, { env, warn })).toMatchObject({ digest })
  expect(warnings).toEqual([`layer ${bound} is non-distributable and left out; --foreign-layers copies it too`])
  expect(blobs('without')).toContain(free)
  expect(blobs('without')).not.toContain(bound)
  expect(publisher.requests).toEqual([])
  await expect(
    unpack(`oci:${at('without')}:1`, { out: at('bundle'), env, platform: 'linux/amd64' }),
  ).rejects.toMatchObject({ code: 'ERR_IMAGE_NOT_FOUND', hint: expect.stringContaining('--foreign-layers') })

  expect(await copy(from, `oci:${at('with')}:1`, { env, warn, foreignLayers: true })).toMatchObject({ digest })
  expect(blobs('with')).toContain(bound)
  await unpack(`oci:${at('with')}:1`, { out: at('bundle'), env, platform: 'linux/amd64' })
  expect(readFileSync(at('bundle/rootfs/bound'), 'utf8')).toBe('b')
  await using target = await startRegistry()
  await push(`${target.host}/app:2`, { from: `oci:${at('with')}:1`, env, warn, foreignLayers: true })
  expect(target.requests.filter(({ path }) => path.includes('?state=a&digest='))).toHaveLength(3)
  expect(warnings).toHaveLength(1)
})

test('a docker archive has every layer or is not made', async () => {
  await using registry = await startRegistry()
  const image = await foreignImage(['http://127.0.0.1:1/layer'])
  for (const blob of [image.config, image.layers[0]?.blob ?? '']) registry.addBlob(blob)
  registry.addManifest('app', '1', image.manifest.toString())
  const make = () => copy(`${registry.host}/app:1`, `docker-archive:${at('d.tar')}:app:1`, { env })
  await expect(make()).rejects.toMatchObject({
    code: 'ERR_NOT_SUPPORTED',
    hint: expect.stringContaining('--foreign-layers'),
  })
  expect(readdirSync(directory)).toEqual([])
  registry.addBlob(image.layers[1]?.blob ?? '')
  await make()
  await unpack(`docker-archive:${at('d.tar')}`, { out: at('bundle'), env, platform: 'linux/amd64' })
  expect(readFileSync(at('bundle/rootfs/bound'), 'utf8')).toBe('b')
})

test('a damaged blob is not copied, and the target stays as it was', async () => {
  const image = await testImage()
  const files = layoutFiles({ v1: image })
  const damaged = `blobs/sha256/${sha256(image.layers[0]?.blob ?? '').slice(7)}`
  files[damaged] = Buffer.alloc(files[damaged]?.length ?? 0)
  writeFiles(at('layout'), files)
  await using registry = await startRegistry()
  const mismatch = { code: 'ERR_DIGEST_MISMATCH' }
  await expect(copy(`oci:${at('layout')}`, `oci-archive:${at('a.tar')}`, { env })).rejects.toMatchObject(mismatch)
  await expect(copy(`oci:${at('layout')}`, `oci:${at('new')}:x`, { env })).rejects.toMatchObject(mismatch)
  await expect(copy(`oci:${at('layout')}`, `${registry.host}/app`, { env })).rejects.toMatchObject(mismatch)
  expect(readdirSync(directory).sort()).toEqual(['layout', 'new'])
  expect(JSON.parse(readFileSync(at('new/index.json'), 'utf8')).manifests).toEqual([])
  await expect(listTags(`${registry.host}/app`, { env })).rejects.toMatchObject({ code: 'ERR_IMAGE_NOT_FOUND' })
})

test('tags are listed over all pages, but not on another host', async () => {
  const image = await testImage()
  writeFiles(at('layout'), layoutFiles({ v1: image }))
  await using registry = await startRegistry((request, response) => {
    if (!request.url?.startsWith('/v2/evil/')) return undefined
    response.setHeader('link', '<https://elsewhere.example/v2/evil/tags/list>; rel="next"')
    response.end('{"tags":[]}')
    return true
  })
  const tags = ['a', 'b', 'c', 'd', 'e']
  for (const tag of tags) await push(`${registry.host}/app:${tag}`, { from: `oci:${at('layout')}`, env })
  expect(await listTags(`${registry.host}/app`, { env })).toEqual({ repository: `${registry.host}/app`, tags })
  await expect(listTags(`${registry.host}/evil`, { env })).rejects.toThrow('on another host; refused')
  const { stdout } = await call(['list-tags', `${registry.host}/app`])
  expect(stdout).toBe('a\nb\nc\nd\ne\n')
})

test('a push that the registry refuses says so, one it interrupts is made again', async () => {
  const image = await testImage()
  writeFiles(at('layout'), layoutFiles({ v1: image }))
  let failures = 1
  await using registry = await startRegistry((request, response) => {
    if (request.url?.startsWith('/v2/closed/') && request.method !== 'HEAD') return sendError(response, 403, 'DENIED')
    if (request.method !== 'PUT' || failures === 0) return undefined
    failures--
    return sendError(response, 503, 'UNAVAILABLE', { 'retry-after': '0' })
  })
  const { digest } = await push(`${registry.host}/app:1`, { from: `oci:${at('layout')}`, env })
  expect(digest).toBe(image.manifestDescriptor.digest)
  await expect(push(`${registry.host}/closed:1`, { from: `oci:${at('layout')}`, env })).rejects.toMatchObject({
    code: 'ERR_REGISTRY_AUTH',
    message: expect.stringContaining('403 DENIED'),
  })
})

test('an image is read from the socket of a daemon', async () => {
  const image = await testImage()
  const tar = await makeTar(dockerFiles([{ tags: ['docker.io/library/a:1'], image }]))
  const asked: (string | undefined)[] = []
  const server = createServer((request, response) => {
    asked.push(request.url)
    if (request.url?.includes('none')) response.writeHead(404).end('{"message":"no such image"}')
    else response.end(tar)
  })
  await new Promise<void>((resolve) => server.listen(at('docker.sock'), resolve))
  const daemon = { ...env, DOCKER_HOST: `unix://${at('docker.sock')}` }
  try {
    await copy('docker-daemon:a:1', `oci:${at('layout')}:x`, { env: daemon })
    await unpack('docker-daemon:a:1', { out: at('bundle'), platform, env: daemon })
    expect(readFileSync(at('bundle/rootfs/etc/os-release'), 'utf8')).toBe('ID=test')
    expect(asked[0]).toBe('/images/docker.io%2Flibrary%2Fa%3A1/get')
    await expect(copy('docker-daemon:none', `oci:${at('y')}`, { env: daemon })).rejects.toMatchObject({
      code: 'ERR_IMAGE_NOT_FOUND',
    })
    const remote = { ...env, DOCKER_HOST: 'tcp://127.0.0.1:1' }
    await expect(copy('docker-daemon:a', `oci:${at('y')}`, { env: remote })).rejects.toMatchObject({
      code: 'ERR_NOT_SUPPORTED',
    })
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('the images of a layout or an archive are listed by what they are called', async () => {
  const image = await testImage()
  writeFiles(at('layout'), layoutFiles({ one: image, two: image }))
  writeFileSync(at('oci.tar'), await makeTar(layoutFiles({ one: image })))
  const saved = [
    { tags: ['a:1', 'b:\u001b[31m2'], image },
    { tags: [], image },
  ]
  writeFileSync(at('docker.tar'), await makeTar(dockerFiles(saved)))
  expect(await listTags(`oci:${at('layout')}`, { env })).toEqual({ repository: at('layout'), tags: ['one', 'two'] })
  expect((await listTags(`oci-archive:${at('oci.tar')}`, { env })).tags).toEqual(['one'])
  expect((await listTags(`docker-archive:${at('docker.tar')}`, { env })).tags).toEqual(['a:1', 'b:\u001b[31m2', '@1'])
  // Text of an archive does not steer a terminal.
  expect((await call(['list-tags', `docker-archive:${at('docker.tar')}`])).stdout).toBe('a:1\nb:\\u001b[31m2\n@1\n')
  expect((await call(['inspect', `docker-archive:${at('docker.tar')}`])).stderr).toContain('a:1, b:\\u001b[31m2, @1')
})

requires('root itself', 'skopeo', 'umoci').test('skopeo and umoci read what copy writes', async () => {
  const image = await testImage()
  writeFiles(at('layout'), layoutFiles({ v1: image }))
  const from = `oci:${at('layout')}:v1`
  const run = (name: string, ...args: string[]) => execFileSync(name, args, { encoding: 'utf8', stdio: 'pipe' })
  await copy(from, `oci:${at('copied')}:x`, { env })
  await copy(from, `oci-archive:${at('a.tar')}:x`, { env })
  await copy(from, `docker-archive:${at('d.tar')}:example.com/app:1`, { env })
  const rawOf = (place: string) =>
    createHash('sha256')
      .update(run('skopeo', 'inspect', '--raw', place))
      .digest('hex')
  for (const place of [`oci:${at('copied')}:x`, `oci-archive:${at('a.tar')}:x`]) {
    expect(`sha256:${rawOf(place)}`).toBe(image.manifestDescriptor.digest)
  }
  run('skopeo', 'copy', '-q', `docker-archive:${at('d.tar')}:example.com/app:1`, `dir:${at('dir')}`)
  const { layers } = JSON.parse(readFileSync(at('dir/manifest.json'), 'utf8'))
  expect(layers).toHaveLength(2)
  run('umoci', 'raw', 'unpack', '--rootless', '--image', `${at('copied')}:x`, at('tree'))
  expect(readFileSync(at('tree/etc/os-release'), 'utf8')).toBe('ID=test')
})
