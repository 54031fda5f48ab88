import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readLayoutIndex } from '../../src/store/layout.ts'
import { library } from '../library.ts'
import { type FakeRegistry, type Fault, sendError, sha256, startRegistry } from '../registry/fake-registry.ts'
import { requires } from '../requirements.ts'
import { makeImage, makeLayer, type TestImage } from '../source/build-image.ts'

const { pull } = library

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pull-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const at = (name: string) => join(directory, name)

/** Three layers: files, a whiteout, and one large file that takes a few writes. */
async function testImage(): Promise<TestImage> {
  return makeImage([
    await makeLayer({ 'etc/os-release': 'ID=test', 'old/file': 'gone', 'bin/tool': { body: '#!', mode: 0o4755 } }),
    await makeLayer({ '.wh.old': '', 'etc/hostname': 'h' }, false),
    await makeLayer({ large: randomBytes(3_000_000) }),
  ])
}

function serve(registry: FakeRegistry, image: TestImage, tag = '18.04'): void {
  registry.addBlob(image.config)
  for (const { blob } of image.layers) registry.addBlob(blob)
  registry.addManifest('library/ubuntu', tag, image.manifest.toString())
}

/** Pulls `ubuntu:18.04` from a registry that stands in for Docker Hub's mirror. */
function pullUbuntu(registry: FakeRegistry, options: Partial<Parameters<typeof pull>[1]> = {}, name = 'ubuntu:18.04') {
  const conf = at('registries.conf')
  writeFileSync(conf, `[[registry]]\nprefix = "docker.io"\nlocation = "${registry.host}"\n`)
  const env = { CONTAINERS_REGISTRIES_CONF: conf, DOCKER_CONFIG: at('docker') }
  return pull(name, { out: at('bundle'), store: at('store'), env, platform: 'linux/amd64', ...options })
}

function expectNothingVisible(): void {
  expect(readdirSync(directory).filter((name) => name.includes('bundle'))).toEqual([])
}

async function expectValidStore(): Promise<void> {
  await readLayoutIndex(at('store'))
  for (const name of readdirSync(at('store/blobs/sha256'))) {
    expect(sha256(readFileSync(join(at('store/blobs/sha256'), name)))).toBe(`sha256:${name}`)
  }
}

test('an image becomes a bundle, and a second pull transfers no blob', async () => {
  const image = await testImage()
  await using registry = await startRegistry()
  serve(registry, image)
  const result = await pullUbuntu(registry)
  expect(result).toEqual({
    reference: 'docker.io/library/ubuntu:18.04',
    digest: image.manifestDescriptor.digest,
    bundle: at('bundle'),
  })
  expect(readFileSync(at('bundle/rootfs/etc/os-release'), 'utf8')).toBe('ID=test')
  expect(readdirSync(at('bundle/rootfs')).sort()).toEqual(['bin', 'etc', 'large'])
  expect(JSON.parse(readFileSync(at('bundle/config.json'), 'utf8')).process.args).toEqual(['/bin/true'])
  expect(readdirSync(at('store/ingest'))).toEqual([])
  await expectValidStore()
  const before = registry.blobRequests().length
  expect(before).toBe(4)
  const progress: boolean[] = []
  await pullUbuntu(registry, { out: at('again'), onProgress: ({ isCached }) => progress.push(isCached) })
  expect(registry.blobRequests()).toHaveLength(before)
  expect(progress).toEqual([true, true, true])
})

test('from an index the wanted platform is taken, attestations are not', async () => {
  const [image, arm] = [await testImage(), makeImage([await makeLayer({ arm: '' })], { architecture: 'arm64' })]
  await using registry = await startRegistry()
  serve(registry, image, 'amd64')
  serve(registry, arm, 'arm64')
  const attestation = { ...arm.manifestDescriptor, platform: { os: 'unknown', architecture: 'unknown' } }
  const manifests = [attestation, arm.manifestDescriptor, image.manifestDescriptor]
  const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests }
  const { digest } = registry.addManifest('library/ubuntu', '18.04', index, index.mediaType)
  expect((await pullUbuntu(registry)).digest).toBe(image.manifestDescriptor.digest)
  expect((await pullUbuntu(registry, { platform: 'linux/arm64/v8', force: true }, `ubuntu@${digest}`)).digest).toBe(
    arm.manifestDescriptor.digest,
  )
  await expect(pullUbuntu(registry, { platform: 'linux/riscv64', out: at('x') })).rejects.toMatchObject({
    code: 'ERR_PLATFORM_UNAVAILABLE',
    hint: expect.stringContaining('linux/arm64, linux/amd64'),
  })
})

test('a broken connection within a layer is gone on from, in this pull or the next', async () => {
  const image = await testImage()
  const large = image.layers[2]?.blob ?? Buffer.alloc(0)
  let cuts = 1
  let stalls = 0
  const cut: Fault = (request, response) => {
    if (cuts + stalls === 0 || !request.url?.endsWith(sha256(large))) return undefined
    const isStall = cuts === 0
    if (isStall) stalls--
    else cuts--
    const start = Number(/\d+/.exec(request.headers.range ?? '0')?.[0])
    response.writeHead(start > 0 ? 206 : 200, {
      'content-range': `bytes ${start}-${large.byteLength - 1}/${large.byteLength}`,
    })
    response.write(large.subarray(start, start + 600_000), () => isStall || response.destroy())
    return true
  }
  await using registry = await startRegistry(cut)
  serve(registry, image)
  await pullUbuntu(registry)
  const ranges = () => registry.requests.map(({ headers }) => headers.range).filter((range) => range !== undefined)
  expect(ranges()).toHaveLength(1)
  rmSync(at('store'), { recursive: true })
  stalls = 1
  const controller = new AbortController()
  const reason = new Error('interrupted')
  const stopped = pullUbuntu(registry, {
    force: true,
    signal: controller.signal,
    onProgress: ({ layer, bytes }) => {
      if (layer.size === large.byteLength && bytes > 0 && bytes < layer.size) controller.abort(reason)
    },
  })
  await expect(stopped).rejects.toBe(reason)
  const kept = readdirSync(at('store/ingest')).find((name) => name.includes(sha256(large).slice(7))) ?? ''
  const size = statSync(join(at('store/ingest'), kept)).size
  await pullUbuntu(registry, { force: true })
  expect(size).toBeGreaterThan(0)
  expect(ranges().at(-1)).toBe(`bytes=${size}-`)
})

const damaged: [string, string, (blob: Buffer) => Buffer][] = [
  ['truncated', 'ERR_NETWORK', (blob) => blob.subarray(0, -10)],
  ['corrupt', 'ERR_DIGEST_MISMATCH', (blob) => Buffer.concat([blob.subarray(0, -1), Buffer.from('!')])],
  ['too long', 'ERR_DIGEST_MISMATCH', (blob) => Buffer.concat([blob, Buffer.from('!')])],
  ['another one', 'ERR_DIGEST_MISMATCH', (blob) => Buffer.alloc(blob.byteLength, 7)],
]

test.each(damaged)(
  'a layer that is %s: %s, nothing visible, the store valid',
  async (_, code, damage) => {
    const image = await testImage()
    const blob = image.layers[0]?.blob ?? Buffer.alloc(0)
    await using registry = await startRegistry((request, response) => {
      if (!request.url?.endsWith(sha256(blob))) return undefined
      const content = damage(blob)
      const start = Number(/\d+/.exec(request.headers.range ?? '0')?.[0])
      if (start > 0) response.writeHead(206, { 'content-range': `bytes ${start}-${blob.byteLength}/*` })
      response.end(content.subarray(start))
      return true
    })
    serve(registry, image)
    await expect(pullUbuntu(registry)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(sha256(blob)),
    })
    expectNothingVisible()
    await expectValidStore()
  },
  600_000,
)

test('a layer that does not uncompress to its diffID is refused', async () => {
  const image = await testImage()
  const lying = makeImage(
    image.layers.map((layer, index) => (index === 1 ? { ...layer, diffID: sha256('other') } : layer)),
  )
  await using registry = await startRegistry()
  serve(registry, lying)
  await expect(pullUbuntu(registry)).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  expectNothingVisible()
})

test('a missing layer names the registry and the blob', async () => {
  const image = await testImage()
  const missing = image.layers[1]?.descriptor.digest ?? ''
  await using registry = await startRegistry((request, response) =>
    request.url?.endsWith(missing) ? sendError(response, 404, 'BLOB_UNKNOWN') : undefined,
  )
  serve(registry, image)
  await expect(pullUbuntu(registry)).rejects.toMatchObject({
    message: expect.stringMatching(new RegExp(`${registry.host}.*${missing}: 404 BLOB_UNKNOWN`)),
  })
  expectNothingVisible()
})

test('a later layer that cannot be had ends the pull while an earlier one still arrives', async () => {
  const image = await testImage()
  const [slow = '', , missing = ''] = image.layers.map(({ descriptor }) => descriptor.digest)
  await using registry = await startRegistry((request, response) => {
    if (request.url?.endsWith(missing)) return sendError(response, 404, 'BLOB_UNKNOWN')
    if (!request.url?.endsWith(slow)) return undefined
    response.write('the rest never comes')
    return true
  })
  serve(registry, image)
  await expect(pullUbuntu(registry)).rejects.toMatchObject({
    code: 'ERR_IMAGE_NOT_FOUND',
    message: expect.stringContaining(missing),
  })
  expectNothingVisible()
})

requires('root').test('a full disk is called that, and what has arrived is kept', async () => {
  const image = await testImage()
  await using registry = await startRegistry()
  serve(registry, image)
  mkdirSync(at('store'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', at('store')])
  try {
    await expect(pullUbuntu(registry)).rejects.toMatchObject({
      code: 'ERR_FILE_SYSTEM',
      message: expect.stringMatching(/store\/ingest\/.*: the disk is full \(ENOSPC\)/),
      hint: expect.stringContaining('free some space'),
    })
    expectNothingVisible()
    execFileSync('mount', ['-o', 'remount,size=8m', at('store')])
    await pullUbuntu(registry)
    const ranges = registry.requests.map(({ headers }) => headers.range).filter((range) => range !== undefined)
    expect(ranges).toHaveLength(1)
  } finally {
    execFileSync('umount', [at('store')])
  }
})

test('an image that is not there, and a name that is none, make nothing at all', async () => {
  await using registry = await startRegistry()
  await expect(pullUbuntu(registry)).rejects.toMatchObject({ code: 'ERR_IMAGE_NOT_FOUND' })
  await expect(pullUbuntu(registry, {}, 'UBUNTU')).rejects.toMatchObject({ code: 'ERR_REFERENCE_INVALID' })
  expectNothingVisible()
})

test('an existing bundle is refused before the registry is asked, and replaced by force', async () => {
  const image = await testImage()
  await using registry = await startRegistry()
  serve(registry, image)
  await pullUbuntu(registry)
  const before = registry.requests.length
  await expect(pullUbuntu(registry)).rejects.toMatchObject({ code: 'ERR_BUNDLE_EXISTS' })
  expect(registry.requests).toHaveLength(before)
  writeFileSync(at('bundle/rootfs/mine'), '')
  await pullUbuntu(registry, { force: true })
  expect(existsSync(at('bundle/rootfs/mine'))).toBe(false)
})

test('a layer that an image has twice is fetched once', async () => {
  const [base] = (await testImage()).layers
  const image = makeImage(base === undefined ? [] : [base, base])
  await using registry = await startRegistry()
  serve(registry, image)
  await pullUbuntu(registry)
  expect(registry.blobRequests()).toHaveLength(2)
})

test('a foreign layer is pulled from its publisher when that is asked for, and only if it is the right one', async () => {
  const bound = await makeLayer({ bound: 'b' })
  let isDamaged = true
  await using publisher = await startRegistry((_, response) => {
    const wrong = Buffer.from(bound.blob).fill(0, 20, 30)
    response.end(isDamaged ? wrong : bound.blob)
    return true
  })
  const mediaType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'
  const urls = [`http://${publisher.host}/layer.tgz`]
  const image = makeImage([
    await makeLayer({ free: 'f' }),
    { ...bound, descriptor: { ...bound.descriptor, mediaType, urls } },
  ])
  await using registry = await startRegistry()
  registry.addBlob(image.config)
  registry.addBlob(image.layers[0]?.blob ?? '')
  registry.addManifest('library/ubuntu', '18.04', image.manifest.toString())
  await expect(pullUbuntu(registry)).rejects.toMatchObject({
    code: 'ERR_NOT_SUPPORTED',
    hint: expect.stringContaining('--foreign-layers'),
  })
  expect(publisher.requests).toEqual([])
  await expect(pullUbuntu(registry, { foreignLayers: true })).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  expectNothingVisible()
  isDamaged = false
  await pullUbuntu(registry, { foreignLayers: true, credentials: 'me:secret' })
  expect(readFileSync(at('bundle/rootfs/bound'), 'utf8')).toBe('b')
  expect(publisher.requests.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined])
  await expectValidStore()
})

test('an artifact that is no image is refused', async () => {
  const image = await testImage()
  const layers = image.layers.map((layer) => ({
    ...layer,
    descriptor: { ...layer.descriptor, mediaType: 'application/wasm' },
  }))
  await using registry = await startRegistry()
  serve(registry, makeImage(layers))
  await expect(pullUbuntu(registry)).rejects.toMatchObject({ code: 'ERR_NOT_SUPPORTED' })
})

const puller = `
const { pull } = await import(process.argv[1])
const options = JSON.parse(process.argv[2])
console.log('start')
await pull('ubuntu:18.04', options)
process.exit(7)`

test('a kill -9 at any moment leaves no half bundle and a store that the next pull uses', async () => {
  const image = await testImage()
  await using registry = await startRegistry()
  serve(registry, image)
  await pullUbuntu(registry)
  const env = { CONTAINERS_REGISTRIES_CONF: at('registries.conf'), DOCKER_CONFIG: at('docker') }
  const options = { out: at('killed'), store: at('new-store'), env, platform: 'linux/amd64' }
  const module = join(import.meta.dirname, '../../dist/verbs/image/pull.js')
  for (let round = 0; round < 12; round++) {
    rmSync(at('killed'), { recursive: true, force: true })
    if (round % 3 === 0) rmSync(at('new-store'), { recursive: true, force: true })
    const child = spawn(process.execPath, ['--input-type=module', '-e', puller, module, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    const timer = setTimeout(() => child.kill('SIGKILL'), round * 25)
    const [status] = await once(child, 'exit')
    clearTimeout(timer)
    expect([null, 7]).toContain(status)
    if (existsSync(at('killed'))) {
      expect(readdirSync(at('killed')).sort()).toEqual(['config.json', 'image.json', 'rootfs'])
      expect(sha256(readFileSync(at('killed/rootfs/large')))).toBe(sha256(readFileSync(at('bundle/rootfs/large'))))
    }
  }
  await pull('ubuntu:18.04', { ...options, force: true })
  await readLayoutIndex(at('new-store'))
  expect(readdirSync(directory).filter((name) => name.startsWith('.'))).toEqual([])
  expect(readdirSync(at('new-store')).sort()).toEqual(['blobs', 'index.json', 'ingest', 'oci-layout'])
})
