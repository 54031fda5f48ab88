import { open, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isSystemError, leadsNowhere, OciError } from '../errors.ts'
import { makeDirectories } from '../make-directories.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { ociIndexType } from '../oci/media-types.ts'
import { blobPath } from '../store/blob-file.ts'
import { syncDirectory } from '../store/files.ts'
import { readLayoutIndex, refNameAnnotation, updateLayoutIndex } from '../store/layout.ts'
import { ownerOf } from '../store/owner.ts'
import { whyNot } from '../writable.ts'
import type { Content, Target } from './content.ts'

let serial = 0

/**
 * The target `oci:DIR[:TAG]`: a new image layout, or one more image in an existing one.
 * @throws OciError `ERR_SOURCE_INVALID` from any member: the directory is something else
 */
export function layoutTarget(directory: string, tag?: string): Target {
  let prepared: Promise<void> | undefined
  const prepare = () => {
    prepared ??= prepareLayout(directory)
    return prepared
  }

  async function writeBlob(blob: Descriptor, open: () => AsyncIterable<Uint8Array>): Promise<void> {
    await prepare()
    await writeVerified(blobPath(directory, blob.digest), open())
  }

  async function writeManifest(document: Awaited<ReturnType<Content['root']>>): Promise<void> {
    await writeBlob(document.descriptor, async function* () {
      yield document.content
    })
  }

  const list = (entry: Descriptor) =>
    updateLayoutIndex(directory, (entries) => [...entries.filter((other) => !isReplaced(other, entry)), entry])

  return {
    name: `oci:${directory}${tag === undefined ? '' : `:${tag}`}`,
    takesIndex: true,
    needsLayers: false,
    async has(blob) {
      const stats = await stat(blobPath(directory, blob.digest)).catch((error: unknown) => {
        if (leadsNowhere(error)) return undefined
        throw error
      })
      return stats?.isFile() === true && stats.size === blob.size
    },
    writeBlob,
    writeManifest,
    async writeReferrer(document) {
      await writeManifest(document)
      await list(document.descriptor)
    },
    async writeTagged(name, document) {
      await writeManifest(document)
      await list(nameEntry(document.descriptor, name))
    },
    async finish(root) {
      await writeManifest(root)
      await list(nameEntry(root.descriptor, tag))
    },
    close: async () => {},
  }
}

/** An entry of the index with a name, instead of the annotations that it came with. */
function nameEntry({ annotations: _, ...entry }: Descriptor, name: string | undefined): Descriptor {
  return name === undefined ? entry : { ...entry, annotations: { [refNameAnnotation]: name } }
}

/**
 * True when `entry` replaces `other`: both have the same name, or neither has a name and both have the same content.
 */
function isReplaced(other: Descriptor, entry: Descriptor): boolean {
  const name = entry.annotations?.[refNameAnnotation]
  if (name !== undefined) return other.annotations?.[refNameAnnotation] === name
  return other.digest === entry.digest && other.annotations?.[refNameAnnotation] === undefined
}

async function prepareLayout(directory: string): Promise<void> {
  try {
    for (const algorithm of ['sha256', 'sha512']) makeDirectories(join(directory, 'blobs', algorithm))
    await writeNew(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
    await writeNew(
      join(directory, 'index.json'),
      JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests: [] }),
    )
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    throw new OciError('ERR_FILE_SYSTEM', `cannot write the image layout ${directory}: ${whyNot(cause)}`, { cause })
  }
  await readLayoutIndex(directory)
}

async function writeNew(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'wx' })
  } catch (error) {
    if (!isSystemError(error, 'EEXIST')) throw error
  }
}

async function writeVerified(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  const temporary = join(dirname(path), `.${ownerOf()}.${serial++}`)
  const file = await open(temporary, 'wx', 0o644)
  try {
    for await (const chunk of content) await file.writeFile(chunk)
    await file.datasync()
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    if (!isSystemError(error)) throw error
    throw new OciError('ERR_FILE_SYSTEM', `cannot write ${path}: ${error.code}`, { cause: error })
  } finally {
    await file.close()
  }
  await syncDirectory(dirname(path))
}
