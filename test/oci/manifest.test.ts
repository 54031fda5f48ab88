import { expect, test } from 'vitest'
import { checkLayerCount, parseImageConfig } from '../../src/oci/image-config.ts'
import { parseManifest } from '../../src/oci/manifest.ts'

const digest = `sha256:${'0'.repeat(64)}`
const oci = (name: string) => `application/vnd.oci.image.${name}.v1+json`
const docker = (name: string) => `application/vnd.docker.distribution.${name}.v2+json`
const blob = (mediaType: string) => ({ mediaType, digest, size: 3 })
const manifest = { schemaVersion: 2, config: blob(oci('config')), layers: [blob('application/x')] }
const index = { schemaVersion: 2, manifests: [blob(oci('manifest'))] }

const parse = (value: unknown, mediaType?: string) =>
  parseManifest(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), {
    what: 'manifest of x',
    mediaType,
  })
const failure = (value: unknown, mediaType?: string) => {
  try {
    parse(value, mediaType)
  } catch (error) {
    return error as { code: string; message: string; pointer?: string }
  }
  throw new Error('was accepted')
}

test.each([
  ['a bare OCI manifest', manifest, undefined, 'manifest', oci('manifest')],
  ['a bare OCI index', index, undefined, 'index', oci('index')],
  ['a Docker manifest by its Content-Type', manifest, docker('manifest'), 'manifest', docker('manifest')],
  [
    'a Docker list',
    { ...index, mediaType: docker('manifest.list') },
    docker('manifest.list'),
    'index',
    docker('manifest.list'),
  ],
  ['a Content-Type with parameters', manifest, `${oci('manifest')}; charset=utf-8`, 'manifest', oci('manifest')],
  ['a Content-Type that says nothing', manifest, 'text/plain', 'manifest', oci('manifest')],
  ['null members as absent', { ...manifest, annotations: null, subject: null }, undefined, 'manifest', oci('manifest')],
])('%s is read', (_, value, announced, kind, mediaType) => {
  expect(parse(value, announced)).toMatchObject({ kind, mediaType })
})

test.each([
  ['a document that is both (CVE-2021-41190)', { ...manifest, ...index }, undefined, /both/],
  ['a config with manifests', { ...index, config: blob('x') }, undefined, /both/],
  ['neither', { schemaVersion: 2 }, undefined, /neither/],
  ['a mediaType that disagrees', { ...manifest, mediaType: oci('manifest') }, docker('manifest'), /announced/],
  ['an index announced as a manifest', index, oci('manifest'), /kind index/],
  ['not JSON', '{', undefined, /not JSON/],
  ['an array', '[]', undefined, /invalid/],
  [
    'a size below zero (umoci 0.5.1)',
    { ...manifest, layers: [{ ...blob('x'), size: -1 }] },
    undefined,
    /layers\/0\/size/,
  ],
  ['a size beyond 2^53', { ...manifest, layers: [{ ...blob('x'), size: 2 ** 60 }] }, undefined, /layers\/0\/size/],
  [
    'a digest with a path',
    { ...manifest, config: { ...blob('x'), digest: 'sha256:../x' } },
    undefined,
    /config\/digest/,
  ],
])('refuses %s', (_, value, announced, message) => {
  const error = failure(value, announced)
  expect(error.code).toBe('ERR_MANIFEST_INVALID')
  expect(error.message).toMatch(message)
  expect(error.message).toContain('manifest of x')
})

test('every problem is reported at once, with its pointer', () => {
  const { message, pointer } = failure({ ...manifest, schemaVersion: 3, layers: [{ digest: 'x' }] })
  expect(pointer).toBe('/schemaVersion')
  for (const part of ['/schemaVersion', '/layers/0/digest', '/layers/0/size', '/layers/0/mediaType']) {
    expect(message).toContain(part)
  }
})

test('schema 1 is refused with a hint', () => {
  const error = failure({ schemaVersion: 1, fsLayers: [], history: [] })
  expect(error).toMatchObject({ code: 'ERR_NOT_SUPPORTED', hint: expect.stringContaining('converts') })
  expect(failure('{}', 'application/vnd.docker.distribution.manifest.v1+prettyjws').code).toBe('ERR_NOT_SUPPORTED')
})

const image = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digest] } }

test('an image config as Docker writes it is read, nulls dropped', () => {
  const text = JSON.stringify({
    ...image,
    config: { Env: ['A=b'], Cmd: null, Labels: null, Volumes: { '/v': {} } },
    history: null,
  })
  expect(parseImageConfig(text, 'image config')).toEqual({ ...image, config: { Env: ['A=b'], Volumes: { '/v': {} } } })
})

test('an image config without valid layers is refused', () => {
  for (const rootfs of [undefined, { type: 'other', diff_ids: [] }, { type: 'layers', diff_ids: ['x'] }]) {
    expect(() => parseImageConfig(JSON.stringify({ ...image, rootfs }), 'image config')).toThrow(/rootfs/)
  }
})

test('an image config without layers or a platform is read, and bytes that are not UTF-8 are as for Go', () => {
  const text = Buffer.from('{"rootfs":{"type":"layers"},"author":"Ren\xe9","history":null}', 'latin1')
  expect(parseImageConfig(text, 'image config')).toEqual({
    architecture: '',
    os: '',
    author: 'Ren\ufffd',
    rootfs: { type: 'layers', diff_ids: [] },
  })
})

test.each([
  ['manifests', { schemaVersion: 2, mediaType: oci('index'), manifests: null }, { manifests: [], odd: [] }],
  ['layers', { schemaVersion: 2, config: blob(oci('config')), layers: null }, { layers: [] }],
])('%s of null are none', (_, value, parsed) => {
  expect(parse(value)).toMatchObject(parsed)
})

test('an odd entry of an index is set apart, with its problems', () => {
  const good = blob(oci('manifest'))
  const odd = [{ ...good, digest: 'blake3:00' }, { ...good, size: -1 }, 'text', { ...good, platform: { os: 5 } }]
  const parsed = parse({ schemaVersion: 2, manifests: [odd[0], { ...good, platform: {} }, ...odd.slice(1)] })
  expect(parsed).toMatchObject({ manifests: [good], odd: odd.map((value) => ({ value })) })
  expect(
    parsed.kind === 'index' && parsed.odd.flatMap(({ problems }) => problems.map(({ pointer }) => pointer)),
  ).toEqual(['/manifests/0/digest', '/manifests/2/size', '/manifests/3', '/manifests/4/platform/os'])
  expect(parsed.kind === 'index' && parsed.manifests[0]?.platform).toBeUndefined()
  expect(failure({ schemaVersion: 2, manifests: odd }).message).toMatch(/4 problems\n {2}\/manifests\/0\/digest/)
})

test('layers and diff_ids must count the same (ggcr#2304)', () => {
  const parsed = parse(manifest)
  if (parsed.kind !== 'manifest') throw new Error('not a manifest')
  const two = parseImageConfig(
    JSON.stringify({ ...image, rootfs: { type: 'layers', diff_ids: [digest, digest] } }),
    'c',
  )
  expect(() => checkLayerCount(parsed, two, 'image x')).toThrow(/1 layers.*2 diff_ids/)
})
