import { readFileSync, rmSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type FakeRegistry, type Fault, sha256, startRegistry } from '../registry/fake-registry.ts'
import { makeImage, makeLayer, type TestImage } from '../source/build-image.ts'
import { forms, ImageCommands, serve } from './image-command.ts'

const form = forms['bin/bundle-tool.js'] ?? []
const here = new ImageCommands()
const run = (...args: readonly string[]) => here.run(form, args)
afterEach(() => {
  for (const name of ['layout', 'image.tar']) rmSync(here.at(name), { recursive: true, force: true })
})
afterAll(() => here[Symbol.dispose]())

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const indexType = 'application/vnd.oci.image.index.v1+json'
let image: TestImage
beforeAll(async () => {
  image = makeImage([await makeLayer({ file: 'x' })])
})

const describeJson = (content: string, mediaType = manifestType) => ({
  mediaType,
  digest: sha256(content),
  size: Buffer.byteLength(content),
})

/** A manifest that refers to another one, with the descriptor that a list of referrers has of it. */
function attach(registry: FakeRegistry, subject: object, artifactType: string) {
  const blob = registry.addBlob(`the ${artifactType}`, artifactType)
  const config = registry.addBlob('{}', 'application/vnd.oci.empty.v1+json')
  const content = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    artifactType,
    config,
    layers: [blob],
    subject,
  })
  return { content, entry: { ...registry.addManifest('app', sha256(content), content), artifactType } }
}

/** The source: an image with an SBOM, a signature of that, and a signature of cosign's. */
function fill(registry: FakeRegistry) {
  serve(registry, image)
  const subject = describeJson(image.manifest.toString())
  const sbom = attach(registry, subject, 'application/spdx+json')
  const signature = attach(registry, sbom.entry, 'application/vnd.example.signature')
  const cosign = { ...JSON.parse(sbom.content), subject: undefined, artifactType: undefined }
  registry.addManifest('app', `${subject.digest.replace(':', '-')}.sig`, cosign)
  return { subject, sbom, signature }
}

const list = (...manifests: object[]) => ({ schemaVersion: 2, mediaType: indexType, manifests })

/** Lists kept by the registry itself, a page for each entry, by the digest of the subject. */
const listsOf = (lists: Readonly<Record<string, readonly object[]>>): Fault => {
  return ({ url = '', method, headers }, response) => {
    const [, digest = '', page = '0'] = /\/referrers\/([^?]+)(?:\?page=(\d+))?/.exec(url) ?? []
    if (method === 'PUT' && url.includes('/manifests/')) response.setHeader('oci-subject', 'known')
    if (digest === '') return undefined
    expect(headers.accept).toBe(indexType)
    const entries = lists[digest] ?? []
    if (Number(page) + 1 < entries.length)
      response.setHeader('link', `<${url.split('?')[0]}?page=${Number(page) + 1}>; rel="next"`)
    response.setHeader('content-type', indexType)
    response.end(JSON.stringify(list(...entries.slice(Number(page), Number(page) + 1))))
    return true
  }
}

const types = async (name: string, ...more: string[]) => {
  const { status, stdout, stderr } = await run('list-referrers', '--json', name, ...more)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return JSON.parse(stdout).referrers.map(({ artifactType }: { artifactType: string }) => artifactType)
}

describe.each(['its own list', 'the tag that clients maintain'])('a registry with %s', (way) => {
  async function filled(): Promise<FakeRegistry & ReturnType<typeof fill>> {
    const lists: Record<string, readonly object[]> = {}
    const registry = await startRegistry(way === 'its own list' ? listsOf(lists) : undefined)
    const { subject, sbom, signature } = fill(registry)
    const other = attach(registry, subject, 'application/vnd.example.other')
    const of = { [subject.digest]: [sbom.entry, other.entry], [sbom.entry.digest]: [signature.entry] }
    for (const [digest, entries] of Object.entries(of)) {
      if (way === 'its own list') lists[digest] = entries
      else registry.addManifest('app', digest.replace(':', '-'), list(...entries), indexType)
    }
    return Object.assign(registry, { subject, sbom, signature })
  }

  test('they are listed, all or those of a type', async () => {
    await using registry = await filled()
    const name = `${registry.host}/app:1`
    expect(await types(name)).toEqual(['application/spdx+json', 'application/vnd.example.other'])
    expect(await types(name, '--artifact-type', 'application/spdx+json')).toEqual(['application/spdx+json'])
    expect(await types(`${registry.host}/app@${registry.signature.entry.digest}`)).toEqual([])
    const { stdout } = await run('list-referrers', name)
    expect(stdout).toMatch(/^DIGEST +TYPE +SIZE\nsha256:\w+ +application\/spdx\+json +\d+ B\n/)
  })

  test('they are copied to layouts, archives and registries, and back, with those of cosign', async () => {
    await using registry = await filled()
    await using keepsNone = await startRegistry()
    await using keepsLists = await startRegistry(listsOf({}))
    const places = [
      `${registry.host}/app:1`,
      'oci:layout:1',
      'oci-archive:image.tar:1',
      `${keepsNone.host}/app:1`,
      `${keepsLists.host}/app:1`,
    ]
    for (const [at, to] of places.entries()) {
      const from = places[at - 1]
      if (from === undefined) continue
      const copied = await run('copy', '--quiet', '--referrers', from, to)
      expect(copied, to).toEqual({ status: 0, stdout: `${registry.subject.digest}\n`, stderr: '' })
      if (to.startsWith(keepsLists.host)) continue
      expect(await types(to), to).toEqual(['application/spdx+json', 'application/vnd.example.other'])
    }
    const put = (one: FakeRegistry) => one.requests.filter(({ method }) => method === 'PUT').map(({ path }) => path)
    const tag = registry.subject.digest.replace(':', '-')
    expect(put(keepsNone)).toContain(`/v2/app/manifests/${tag}`)
    for (const one of [keepsNone, keepsLists]) {
      expect(put(one)).toContain(`/v2/app/manifests/${registry.signature.entry.digest}`)
      expect(put(one)).toContain(`/v2/app/manifests/${tag}.sig`)
    }
    expect(put(keepsLists)).not.toContain(`/v2/app/manifests/${tag}`)
    const { manifests } = JSON.parse(readFileSync(here.at('layout/index.json'), 'utf8'))
    expect(manifests).toHaveLength(5)
    expect((await run('unpack', '--quiet', '--force', 'oci:layout', '--out', 'bundle')).stderr).toBe('')
  })

  test('they stay where they are without the option, and where there can be none', async () => {
    await using registry = await filled()
    expect(await run('copy', '--quiet', `${registry.host}/app:1`, 'oci:layout:1')).toMatchObject({ status: 0 })
    expect(await types('oci:layout:1')).toEqual([])
    const docker = await run('copy', '--quiet', '--referrers', `${registry.host}/app:1`, 'docker-archive:image.tar')
    expect(docker).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^error: image\.tar can have no referrers\n {2}hint: leave out --referrers/),
    })
  })
})

test('a list that goes round in a circle has an end', async () => {
  await using registry = await startRegistry(({ url = '' }, response) => {
    if (!url.includes('/referrers/')) return undefined
    response.setHeader('link', `<${url}>; rel="next"`)
    response.end(JSON.stringify(list()))
    return true
  })
  fill(registry)
  expect(await run('list-referrers', `${registry.host}/app:1`)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('has more than 100 pages of referrers'),
  })
})
