import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { OciError } from '../../src/errors.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { checkSignatures, type SignatureStore, type WantedSignature } from '../../src/registry/signatures.ts'
import { sha256 } from './fake-registry.ts'

interface Fixture {
  readonly key: string
  readonly reference: string
  readonly manifest: string
  readonly payload: string
  readonly signature: string
}

/** A signature that containers/image made, see fixtures/README.md. */
const made: Fixture = JSON.parse(readFileSync(join(import.meta.dirname, '../../fixtures/signature.json'), 'utf8'))

const describe = (content: Buffer, mediaType: string) => ({ mediaType, digest: sha256(content), size: content.length })

/** Checks the signature as if it were stored beside the manifest. */
async function check({ key, reference, manifest, payload, signature }: Fixture): Promise<void> {
  const annotations = { 'dev.cosignproject.cosign/signature': signature }
  const type = 'application/vnd.dev.cosign.simplesigning.v1+json'
  const layer = { ...describe(Buffer.from(payload), type), annotations }
  const config = describe(Buffer.from('{}'), 'application/vnd.oci.image.config.v1+json')
  const list = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: [layer] }))
  const content = Buffer.from(manifest)
  const descriptor = describe(content, 'application/vnd.oci.image.manifest.v1+json')
  const store: SignatureStore = {
    async fetchManifest(tag) {
      expect(tag).toBe(`${descriptor.digest.replace(':', '-')}.sig`)
      return { descriptor: describe(list, descriptor.mediaType), content: list }
    },
    read: async () => Buffer.from(payload),
  }
  const want: WantedSignature = {
    type: 'sigstoreSigned',
    keys: [{ pem: key }],
    signedIdentity: { type: 'matchRepoDigestOrExact' },
    by: 'p',
  }
  await checkSignatures([want], { reference: parseReference(reference), manifest: { descriptor, content } }, store)
}

test('a signature made by containers/image is accepted, and refused when any part of it is changed', async () => {
  await check(made)
  const others: Partial<Fixture>[] = [
    { reference: 'registry.example/team/app:2' },
    { manifest: made.manifest.replace('1031449', '1031450') },
    { payload: made.payload.replace('app:1', 'app:2') },
    { signature: made.signature.replace('M', 'N') },
    { signature: '' },
  ]
  for (const part of others) {
    const error = await check({ ...made, ...part }).catch((caught: unknown) => caught)
    expect(error, JSON.stringify(part)).toBeInstanceOf(OciError)
    expect(error).toMatchObject({ code: 'ERR_POLICY' })
  }
})
