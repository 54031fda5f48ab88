import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pack } from 'tar-stream'
import { isSystemError, OciError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { digestHex } from '../oci/digest.ts'
import { parseManifest } from '../oci/manifest.ts'
import { ociIndexType } from '../oci/media-types.ts'
import { formatReference, parseReference } from '../oci/reference.ts'
import { blobPath } from '../store/blob-file.ts'
import { refNameAnnotation } from '../store/layout.ts'
import { ownerOf } from '../store/owner.ts'
import type { Target } from './content.ts'
import type { Document } from './resolve-image.ts'

export interface ArchiveTargetOptions {
  readonly path: string
  /** The tag, or for a docker archive the full name, of the image. */
  readonly name?: string | undefined
  /** Receives the bytes when `path` is `-`. */
  readonly output?: ((bytes: Uint8Array) => Promise<void>) | undefined
  /** True to write docker's `manifest.json` beside the layout, for readers that know no other format. */
  readonly isForDocker: boolean
}

/**
 * The target `oci-archive:F[:TAG]` or `docker-archive:F[:REF]`: an image layout in a tar archive. A docker archive has
 * a `manifest.json` as well, which names the layout's blobs, so that digests are preserved.
 *
 * Members are written one at a time, in the order of the calls, without times and owners. The file appears when it is
 * complete; bytes passed to `output` are complete when `finish` has resolved.
 * @throws OciError `ERR_USAGE` the path is `-`, and there is no output
 */
export function archiveTarget({ path, name, output, isForDocker }: ArchiveTargetOptions): Target {
  if (path === '-' && output === undefined) {
    throw new OciError('ERR_USAGE', 'there is no standard output to write an archive to', { hint: 'name a file' })
  }
  const reference = isForDocker && name !== undefined ? formatReference(parseReference(name)) : undefined
  const temporary = path === '-' ? undefined : join(dirname(resolve(path)), `.${ownerOf()}.${serial++}.tar`)
  const archive = pack()
  const written =
    temporary === undefined
      ? pipeline(archive, async (pieces: AsyncIterable<Uint8Array>) => {
          for await (const piece of pieces) await output?.(piece)
        })
      : pipeline(archive, createWriteStream(temporary, { flags: 'wx' }))
  written.catch(() => {}) // awaited where members are added
  const members = new Set<string>()
  const others: Descriptor[] = []
  let last = Promise.resolve()

  /** Adds a member once those before it are complete. */
  function add(member: string, size: number, content: AsyncIterable<Uint8Array>): Promise<void> {
    if (members.has(member)) return last
    members.add(member)
    last = last.then(async () => {
      const entry = archive.entry({ name: member, size, mode: 0o644, mtime: new Date(0) })
      await Promise.race([pipeline(Readable.from(content), entry), written.then(() => Promise.reject(cutOff(path)))])
    })
    return last
  }

  const addText = (member: string, content: Uint8Array) =>
    add(
      member,
      content.byteLength,
      (async function* () {
        yield content
      })(),
    )

  const addJson = (member: string, value: unknown) => addText(member, Buffer.from(JSON.stringify(value)))
  const blobName = ({ digest }: Descriptor) => blobPath('', digest)
  const writeManifest = ({ descriptor, content }: Document) => addText(blobName(descriptor), content)

  return {
    name: path,
    takesIndex: !isForDocker,
    needsLayers: isForDocker,
    has: async (blob) => members.has(blobName(blob)),
    writeBlob: (blob, open) => add(blobName(blob), blob.size, open()),
    writeManifest,
    ...(!isForDocker && {
      async writeReferrer(document: Document) {
        await writeManifest(document)
        others.push(document.descriptor)
      },
      async writeTagged(tag: string, document: Document) {
        await writeManifest(document)
        others.push({ ...document.descriptor, annotations: { [refNameAnnotation]: tag } })
      },
    }),
    async finish(root) {
      try {
        await writeManifest(root)
        await addJson('oci-layout', { imageLayoutVersion: '1.0.0' })
        const label = reference ?? name
        const annotations = label === undefined ? {} : { annotations: layoutNames(label, isForDocker) }
        const manifests = [{ ...root.descriptor, ...annotations }, ...others]
        await addJson('index.json', { schemaVersion: 2, mediaType: ociIndexType, manifests })
        if (isForDocker) await addJson('manifest.json', [dockerEntry(root, reference)])
        archive.finalize()
        await written
        if (temporary !== undefined) await rename(temporary, path)
      } catch (cause) {
        if (!isSystemError(cause)) throw cause
        throw new OciError('ERR_FILE_SYSTEM', `cannot write ${path}: ${cause.code}`, { cause })
      }
    },
    async close() {
      archive.destroy()
      await written.catch(() => {}) // any error other than this destroy() was thrown where members are added
      if (temporary !== undefined) await rm(temporary, { force: true })
    },
  }
}

let serial = 0

const cutOff = (path: string): OciError => new OciError('ERR_FILE_SYSTEM', `${path} ended while it was written`)

/** The annotations by which containerd and docker name an image in an archive: the full name, and its tag. */
function layoutNames(name: string, isForDocker: boolean): Record<string, string> {
  if (!isForDocker) return { [refNameAnnotation]: name }
  return { 'io.containerd.image.name': name, [refNameAnnotation]: parseReference(name).tag ?? 'latest' }
}

function dockerEntry({ descriptor, content }: Document, reference: string | undefined) {
  const manifest = parseManifest(content, { what: 'the manifest', mediaType: descriptor.mediaType })
  if (manifest.kind !== 'manifest') throw new Error('a docker archive has no index')
  const member = ({ digest }: Descriptor) => `blobs/${digest.split(':')[0]}/${digestHex(digest)}`
  return {
    Config: member(manifest.config),
    RepoTags: reference === undefined ? [] : [reference],
    Layers: manifest.layers.map(member),
  }
}
