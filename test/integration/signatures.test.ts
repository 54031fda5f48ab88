import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { library } from '../library.ts'
import { type FakeRegistry, startRegistry } from '../registry/fake-registry.ts'
import { makeImage, makeLayer, type TestImage } from '../source/build-image.ts'

const { copy, pull } = library

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'signatures-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const at = (name: string) => join(directory, name)
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const keyData = (key: KeyObject) => btoa(key.export({ type: 'spki', format: 'pem' }).toString())
const signedBy = (key: KeyObject) => ({ type: 'sigstoreSigned', keyData: keyData(key) })

interface Signed {
  readonly key?: KeyObject
  readonly digest?: string
  readonly name?: string
  /** Replaces the payload that was signed. */
  readonly payload?: (signed: string) => string
}

/** Puts signatures in cosign's form beside an image. */
function addSignatures(registry: FakeRegistry, image: TestImage, signatures: readonly Signed[]): void {
  const { digest } = image.manifestDescriptor
  const layers = signatures.map((signed) => {
    const payload = JSON.stringify({
      critical: {
        identity: { 'docker-reference': signed.name ?? `${registry.host}/app:1` },
        image: { 'docker-manifest-digest': signed.digest ?? digest },
        type: 'cosign container image signature',
      },
      optional: null,
    })
    const key = signed.key ?? p256.privateKey
    const signature = sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', Buffer.from(payload), key)
    const type = 'application/vnd.dev.cosign.simplesigning.v1+json'
    const blob = registry.addBlob(signed.payload?.(payload) ?? payload, type)
    return { ...blob, annotations: { 'dev.cosignproject.cosign/signature': signature.toString('base64') } }
  })
  const config = registry.addBlob('{}', 'application/vnd.oci.image.config.v1+json')
  registry.addManifest('app', `${digest.replace(':', '-')}.sig`, { schemaVersion: 2, config, layers })
}

async function serveImage(registry: FakeRegistry, architecture = 'amd64'): Promise<TestImage> {
  const image = makeImage([await makeLayer({ [architecture]: '' })], { architecture })
  for (const blob of [image.config, ...image.layers.map((layer) => layer.blob)]) registry.addBlob(blob)
  registry.addManifest('app', '1', image.manifest.toString())
  return image
}

function writePolicy(requirements: readonly object[]): string {
  const reject = [{ type: 'reject' }]
  writeFileSync(at('policy.json'), JSON.stringify({ default: reject, transports: { docker: { '': requirements } } }))
  return at('policy.json')
}

const pullSigned = (name: string, requirements: readonly object[]) =>
  pull(name, {
    out: at('bundle'),
    store: at('store'),
    env: {},
    platform: 'linux/amd64',
    force: true,
    policy: writePolicy(requirements),
  })

const refused = (message: string) =>
  expect.objectContaining({ code: 'ERR_POLICY', message: expect.stringContaining(message) })

test.each([
  ['ECDSA P-256', p256],
  ['ECDSA P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ['Ed25519', generateKeyPairSync('ed25519')],
])('an image signed by a key of %s is pulled and copied where the policy asks for that key', async (_, pair) => {
  await using registry = await startRegistry()
  const image = await serveImage(registry)
  addSignatures(registry, image, [{ key: pair.privateKey }])
  const requirements = [signedBy(pair.publicKey)]
  const { digest } = await pullSigned(`${registry.host}/app:1`, requirements)
  expect(digest).toBe(image.manifestDescriptor.digest)
  await copy(`${registry.host}/app:1`, `oci:${at('copy')}:1`, { env: {}, policy: at('policy.json') })
  await expect(pullSigned(`${registry.host}/app:1`, [signedBy(other.publicKey)])).rejects.toEqual(
    refused('one was made by none of the keys of the policy'),
  )
})

test.each<[string, Signed[], string]>([
  ['another key', [{ key: other.privateKey }], 'one was made by none of the keys'],
  ['another image', [{ digest: `sha256:${'a'.repeat(64)}` }], `one is of the manifest sha256:${'a'.repeat(64)}`],
  ['another name', [{ name: 'x.example/app:1' }], 'one is for the name "x.example/app:1"'],
  ['another tag', [{ name: 'app:2' }], 'which "matchRepoDigestOrExact" does not accept'],
  ['what has been changed since', [{ payload: (text) => text.replace('app:1', 'app:2') }], 'made by none of the keys'],
  ['something else', [{ payload: () => '{}' }], 'made by none of the keys'],
  ['nothing', [], 'there is none at the tag sha256-'],
])('a signature of %s does not count, and nothing of the image is read', async (_, signatures, message) => {
  await using registry = await startRegistry()
  const image = await serveImage(registry)
  addSignatures(registry, image, signatures)
  const attempt = pullSigned(`${registry.host}/app:1`, [signedBy(p256.publicKey)])
  await expect(attempt).rejects.toEqual(refused(message))
  for (const blob of [image.config, ...image.layers.map((layer) => layer.blob)]) {
    expect(registry.blobRequests().join()).not.toContain(registry.addBlob(blob).digest)
  }
  expect(readdirSync(directory).sort()).toEqual(['policy.json', 'store'])
  const target = `oci:${at('copy')}:1`
  const copied = copy(`${registry.host}/app:1`, target, { env: {}, policy: at('policy.json') })
  await expect(copied).rejects.toEqual(refused(message))
})

test('an image without a tag for signatures is refused, and the error says where they are looked for', async () => {
  await using registry = await startRegistry()
  const { digest } = (await serveImage(registry)).manifestDescriptor
  await expect(pullSigned(`${registry.host}/app:1`, [signedBy(p256.publicKey)])).rejects.toEqual(
    expect.objectContaining({
      message: `${at('policy.json')}, "docker" "", asks for a signature of ${registry.host}/app:1: there is none at the tag ${digest.replace(':', '-')}.sig`,
      hint: `sign the manifest itself, not only an index that names it: ${registry.host}/app@${digest}`,
    }),
  )
})

test('one good signature among bad ones, by one of several keys, is enough; of two requirements each must be met', async () => {
  await using registry = await startRegistry()
  const image = await serveImage(registry)
  addSignatures(registry, image, [{ key: other.privateKey, name: 'x:1' }, { payload: () => '{' }, {}])
  const third = generateKeyPairSync('ed25519').publicKey
  const several = { type: 'sigstoreSigned', keyDatas: [keyData(third), keyData(p256.publicKey)] }
  await pullSigned(`${registry.host}/app:1`, [several])
  const byOther = { ...signedBy(other.publicKey), signedIdentity: { type: 'exactReference', dockerReference: 'x:1' } }
  await pullSigned(`${registry.host}/app:1`, [several, byOther])
  await expect(pullSigned(`${registry.host}/app:1`, [several, signedBy(third)])).rejects.toEqual(
    refused('none of the keys'),
  )
})

test('of an index each image must be signed itself', async () => {
  await using registry = await startRegistry()
  const [amd64, arm64] = [await serveImage(registry), await serveImage(registry, 'arm64')]
  const manifests = [amd64.manifestDescriptor, arm64.manifestDescriptor]
  const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests }
  registry.addManifest('app', '1', index, index.mediaType)
  addSignatures(registry, amd64, [{}])
  await pullSigned(`${registry.host}/app:1`, [signedBy(p256.publicKey)])
  const options = { env: {}, policy: at('policy.json'), all: true }
  const copyAll = () => copy(`${registry.host}/app:1`, `oci:${at('copy')}:1`, options)
  await expect(copyAll()).rejects.toEqual(refused(arm64.manifestDescriptor.digest.replace(':', '-')))
  addSignatures(registry, arm64, [{}])
  await copyAll()
})

test('an image of a mirror is judged by the name it was asked for, by tag or by digest', async () => {
  await using registry = await startRegistry()
  const image = await serveImage(registry)
  addSignatures(registry, image, [{ name: 'registry.example/team/app:1' }])
  const mirror = `[[registry]]\nprefix = "registry.example/team"\nlocation = "${registry.host}"\n`
  writeFileSync(at('registries.conf'), mirror)
  const docker = { 'registry.example/team': [signedBy(p256.publicKey)] }
  writeFileSync(at('mirror.json'), JSON.stringify({ default: [{ type: 'reject' }], transports: { docker } }))
  const env = { CONTAINERS_REGISTRIES_CONF: at('registries.conf') }
  const pullFrom = (name: string, out: string) =>
    pull(name, { out: at(out), store: at('store'), env, platform: 'linux/amd64', policy: at('mirror.json') })
  const { digest } = image.manifestDescriptor
  await pullFrom('registry.example/team/app:1', 'by-tag')
  await pullFrom(`registry.example/team/app@${digest}`, 'by-digest')
  await pullFrom(`registry.example/team/app:2@${digest}`, 'by-both')
  await expect(pullFrom(`${registry.host}/app:1`, 'directly')).rejects.toEqual(refused('rejects'))
  registry.addManifest('app', '2', image.manifest.toString())
  await expect(pullFrom('registry.example/team/app:2', 'by-other-tag')).rejects.toEqual(refused('one is for the name'))
})

test('a policy whose key cannot be used is an error before anything is fetched', async () => {
  await using registry = await startRegistry()
  writeFileSync(at('private.pem'), p256.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const dsa = generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 }).publicKey
  for (const [requirement, message] of [
    [{ type: 'sigstoreSigned', keyPath: at('missing') }, `cannot use the key ${at('missing')}: ENOENT`],
    [{ type: 'sigstoreSigned', keyPath: at('private.pem') }, 'it is not a public key in PEM'],
    [{ type: 'sigstoreSigned', keyData: btoa('-----BEGIN PUBLIC KEY-----\n') }, 'cannot use key 1: '],
    [signedBy(dsa), 'it is of the type "dsa", not ECDSA, RSA or Ed25519'],
  ] as const) {
    await serveImage(registry)
    await expect(pullSigned(`${registry.host}/app:1`, [requirement])).rejects.toMatchObject({
      code: 'ERR_CONFIG_INVALID',
      message: expect.stringContaining(message),
    })
  }
  expect(registry.requests.filter(({ path }) => path.includes('.sig'))).toEqual([])
})
