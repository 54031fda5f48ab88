import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type Headers, pack } from 'tar-stream'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { sha256 } from '../registry/fake-registry.ts'

/** The members of an archive: text or bytes make a file, other values describe the member. */
export type TarContent = string | Uint8Array | ({ readonly body?: string } & Partial<Headers>)

/** A tar archive of these members, in this order. */
export async function makeTar(
  members: Readonly<Record<string, TarContent>> | readonly [string, TarContent][],
): Promise<Buffer> {
  const archive = pack()
  for (const [name, content] of Array.isArray(members) ? members : Object.entries(members)) {
    if (typeof content === 'string' || content instanceof Uint8Array) archive.entry({ name }, Buffer.from(content))
    else archive.entry({ mtime: new Date(1e12), ...content, name }, content.body ?? '')
  }
  archive.finalize()
  const chunks = []
  for await (const chunk of archive) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export interface TestLayer {
  readonly blob: Buffer
  readonly diffID: string
  readonly descriptor: Descriptor
}

export async function makeLayer(members: Readonly<Record<string, TarContent>>, compress = true): Promise<TestLayer> {
  const tar = await makeTar(members)
  const blob = compress ? gzipSync(tar) : tar
  const mediaType = `application/vnd.oci.image.layer.v1.tar${compress ? '+gzip' : ''}`
  return { blob, diffID: sha256(tar), descriptor: { mediaType, digest: sha256(blob), size: blob.byteLength } }
}

/** An image of these layers: its config and its manifest, as bytes and as descriptors. */
export interface TestImage {
  readonly layers: readonly TestLayer[]
  readonly config: Buffer
  readonly manifest: Buffer
  readonly manifestDescriptor: Descriptor
}

interface ImageChange {
  readonly architecture?: string
  readonly cmd?: readonly string[]
  /** Members of the image config that replace the default ones. */
  readonly config?: Readonly<Record<string, unknown>>
}

export function makeImage(
  layers: readonly TestLayer[],
  { architecture = 'amd64', cmd = ['/bin/true'], config: change = {} }: ImageChange = {},
): TestImage {
  const config = Buffer.from(
    JSON.stringify({
      architecture,
      os: 'linux',
      config: { Cmd: cmd, Env: ['A=b'] },
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffID }) => diffID) },
      ...change,
    }),
  )
  const configType = 'application/vnd.oci.image.config.v1+json'
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: { mediaType: configType, digest: sha256(config), size: config.byteLength },
      layers: layers.map(({ descriptor }) => descriptor),
    }),
  )
  const platform = { os: 'linux', architecture }
  return {
    layers,
    config,
    manifest,
    manifestDescriptor: { mediaType, digest: sha256(manifest), size: manifest.byteLength, platform },
  }
}

/** The files of an image layout: images by tag. */
export function layoutFiles(images: Readonly<Record<string, TestImage>>): Record<string, Buffer | string> {
  const files: Record<string, Buffer | string> = { 'oci-layout': '{"imageLayoutVersion":"1.0.0"}' }
  const manifests = Object.entries(images).map(([tag, image]) => {
    const blobs = [image.config, image.manifest, ...image.layers.map(({ blob }) => blob)]
    for (const blob of blobs) files[`blobs/sha256/${sha256(blob).slice(7)}`] = blob
    return { ...image.manifestDescriptor, annotations: { 'org.opencontainers.image.ref.name': tag } }
  })
  files['index.json'] = JSON.stringify({ schemaVersion: 2, manifests })
  return files
}

/** The files of a docker archive in the old form: a directory per layer. The table of contents comes last. */
export function dockerFiles(
  images: readonly { readonly tags: readonly string[]; readonly image: TestImage }[],
): Record<string, Buffer | string> {
  const files: Record<string, Buffer | string> = {}
  const entries = images.map(({ tags, image }) => {
    const Config = `${sha256(image.config).slice(7)}.json`
    files[Config] = image.config
    const Layers = image.layers.map(({ blob, diffID }) => {
      files[`${diffID.slice(7)}/layer.tar`] = blob
      return `${diffID.slice(7)}/layer.tar`
    })
    return { Config, RepoTags: tags, Layers }
  })
  files['manifest.json'] = JSON.stringify(entries)
  return files
}

export function writeFiles(directory: string, files: Readonly<Record<string, Buffer | string>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), content)
  }
}
