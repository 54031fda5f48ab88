import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openStore } from '../../src/store/store.ts'
import { beginUse } from '../../src/store/usage.ts'
import { call } from '../cli/call.ts'
import { library } from '../library.ts'
import { type FakeRegistry, sha256, startRegistry } from '../registry/fake-registry.ts'
import { makeImage, makeLayer, type TestImage } from '../source/build-image.ts'

const { images, prune, pull, removeImage, verify } = library

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'store-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const at = (name: string) => join(directory, name)
const env = { HOME: '/nonexistent', CONTAINERS_REGISTRIES_CONF: '/dev/null', XDG_RUNTIME_DIR: '/nonexistent' }
const store = () => ({ store: at('store'), env })
const blobs = () => readdirSync(at('store/blobs/sha256')).map((name) => `sha256:${name}`)

/** Two images that share their first layer, pulled as `a` and `b`. */
async function pullTwo(registry: FakeRegistry): Promise<readonly [TestImage, TestImage]> {
  const shared = await makeLayer({ shared: '' })
  const two = [makeImage([shared]), makeImage([shared, await makeLayer({ own: 'o' })])] as const
  for (const [index, image] of two.entries()) {
    const name = 'ab'[index] ?? ''
    for (const { blob } of image.layers) registry.addBlob(blob)
    registry.addBlob(image.config)
    registry.addManifest(name, '1', image.manifest.toString())
    await pull(`${registry.host}/${name}:1`, { out: at(`bundle-${name}`), platform: 'linux/amd64', ...store() })
  }
  return two
}

test('images are listed, and removed with what no other image needs', async () => {
  await using registry = await startRegistry()
  const [a, b] = await pullTwo(registry)
  const size = ({ layers, config, manifest }: TestImage) =>
    layers.reduce((sum, { blob }) => sum + blob.byteLength, config.byteLength + manifest.byteLength)
  const listed = (name: string, image: TestImage) => ({
    name: `${registry.host}/${name}:1`,
    digest: image.manifestDescriptor.digest,
    platform: 'linux/amd64',
    size: size(image),
  })
  expect(await images(store())).toEqual([listed('b', b), listed('a', a)])
  const { removed, bytes } = await removeImage(`${registry.host}/b:1`, store())
  const own = [b.layers[1]?.descriptor.digest, sha256(b.config), sha256(b.manifest)]
  expect([...removed].sort()).toEqual([...own].sort())
  expect(bytes).toBe(size(b) - (b.layers[0]?.blob.byteLength ?? 0))
  expect(await images(store())).toEqual([listed('a', a)])
  expect((await verify(store())).problems).toEqual([])
  await removeImage(a.manifestDescriptor.digest, store())
  expect(blobs()).toEqual([])
  await expect(removeImage('a:1', store())).rejects.toMatchObject({ code: 'ERR_IMAGE_NOT_FOUND' })
  expect(existsSync(at('bundle-a/rootfs/shared'))).toBe(true)
})

test('what is damaged or missing is found, and fetched anew by the next pull', async () => {
  await using registry = await startRegistry()
  const [a, b] = await pullTwo(registry)
  const [shared = '', own = ''] = b.layers.map(({ descriptor }) => descriptor.digest)
  writeFileSync(join(at('store/blobs/sha256'), shared.slice(7)), Buffer.alloc(a.layers[0]?.blob.byteLength ?? 0))
  rmSync(join(at('store/blobs/sha256'), own.slice(7)))
  const { stdout, stderr, status } = await call(['verify', '--store', at('store')])
  expect(status).toBe(1)
  expect(stdout).toContain(`blob ${shared} has the content of`)
  expect(stdout).toContain(`${registry.host}/b:1 lacks the blob ${own}`)
  expect(stderr).toMatch(/^5 blobs, .* 2 problems\n$/)
  const again = { out: at('again'), platform: 'linux/amd64', ...store() }
  await expect(pull(`${registry.host}/b:1`, again)).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  await pull(`${registry.host}/b:1`, again)
  expect((await verify(store())).problems).toEqual([])
})

test('nothing is removed while something is being pulled, and what a killed pull left is', async () => {
  await using registry = await startRegistry()
  await pullTwo(registry)
  const opened = await openStore(at('store'))
  const content = Buffer.from('of an image that is not listed yet')
  await opened.write({ mediaType: 'x', digest: sha256(content), size: content.byteLength }, content)
  const endUse = await beginUse(at('store'))
  await expect(prune(store())).rejects.toMatchObject({
    code: 'ERR_STORE_IN_USE',
    message: expect.stringContaining(`process ${process.pid}`),
  })
  expect(blobs()).toContain(sha256(content))
  endUse()
  const left = `sha256-${'0'.repeat(64)}.partial`
  writeFileSync(join(at('store/ingest'), left), 'left')
  writeFileSync(join(at('store/ingest'), 'using.999999999-1.0'), '')
  expect(await prune(store())).toEqual({ removed: [sha256(content)], bytes: content.byteLength + 4 })
  expect(readdirSync(at('store/ingest'))).toEqual([])
})
