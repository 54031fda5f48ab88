import { createHash } from 'node:crypto'
import { OciError } from '../errors.ts'
import { digestOf } from '../oci/digest.ts'
import { type DockerArchiveEntry, parseDockerArchive } from '../oci/docker-archive.ts'
import { parseImageConfig } from '../oci/image-config.ts'
import { maxImageConfigBytes, maxManifestBytes } from '../oci/limits.ts'
import type { Platform } from '../oci/platform.ts'
import { formatReference, parseReference } from '../oci/reference.ts'
import type { Image, Source } from './image.ts'
import { checkPlatform } from './resolve-image.ts'
import type { TarIndex, TarMember } from './tar-index.ts'

/**
 * The source `docker-archive:F[:REF]`, an archive of `docker save`. Closing the source closes `tar`.
 *
 * @param wanted REF: a name with its tag, or `@N`, the image number N counted from 0
 * @param warn called as by `readConfig`
 */
export function dockerArchive(tar: TarIndex, wanted?: string, warn?: (message: string) => void): Source {
  return { image: (platform) => archiveImage(tar, { wanted, platform, warn }), close: () => tar.close() }
}

/** The wanted image of an archive, and its layers. @throws OciError `ERR_IMAGE_NOT_FOUND`, `ERR_SOURCE_INVALID` */
export async function readDockerArchive(
  tar: TarIndex,
  wanted: string | undefined,
): Promise<{ readonly entry: DockerArchiveEntry; readonly layers: readonly TarMember[] }> {
  const entry = chooseEntry(await readEntries(tar), wanted, tar.path)
  const layers = entry.Layers.map((layer) => {
    const member = tar.find(layer)
    if (member !== undefined) return member
    throw new OciError(
      'ERR_SOURCE_INVALID',
      `${tar.path} lacks the layer "${layer}" of ${entry.RepoTags[0] ?? tar.path}`,
    )
  })
  return { entry, layers }
}

/** The names of the images in an archive, `@N` for one that has none. @throws OciError `ERR_SOURCE_INVALID` */
export async function archiveNames(tar: TarIndex): Promise<readonly string[]> {
  return namesOf(await readEntries(tar))
}

async function readEntries(tar: TarIndex): Promise<readonly DockerArchiveEntry[]> {
  refuseOldArchive(tar)
  return parseDockerArchive(await tar.read('manifest.json', maxManifestBytes), `manifest.json of ${tar.path}`)
}

/**
 * Refuses what Docker before 1.10 saved: a directory for each layer, and no table of contents.
 * @throws OciError `ERR_NOT_SUPPORTED`
 */
export function refuseOldArchive(tar: TarIndex): void {
  if (tar.find('manifest.json') !== undefined) return
  const layer = tar.names().find((name) => /^[0-9a-f]{64}\/layer\.tar$/.test(name))
  if (layer === undefined || tar.find(layer.replace('layer.tar', 'json')) === undefined) return
  throw new OciError(
    'ERR_NOT_SUPPORTED',
    `${tar.path} is an archive of Docker before 1.10, which has no manifest.json`,
    {
      hint: 'load it with Docker 1.10 to 20.10, and save the image again',
    },
  )
}

interface WantedImage {
  readonly wanted: string | undefined
  readonly platform: Platform | undefined
  readonly warn: ((message: string) => void) | undefined
}

async function archiveImage(tar: TarIndex, { wanted, platform, warn }: WantedImage): Promise<Image> {
  const { entry, layers: members } = await readDockerArchive(tar, wanted)
  const name = entry.RepoTags[0] ?? tar.path
  const content = await readConfig(tar, entry, warn)
  const config = parseImageConfig(content, `image config "${entry.Config}" of ${tar.path}`)
  if (platform !== undefined) checkPlatform(config, platform, { name })
  const diffIDs = config.rootfs.diff_ids
  if (diffIDs.length !== entry.Layers.length) {
    const counts = `${entry.Layers.length} layers, and its image config ${diffIDs.length} diff_ids`
    throw new OciError('ERR_SOURCE_INVALID', `${name} in ${tar.path} has ${counts}`)
  }
  const layers = members.map((member, position) => {
    // These archives have no blob digests: a layer is verified by its diffID.
    const layer = entry.Layers[position] ?? member.name
    return { name: layer, diffID: diffIDs[position], size: member.size, open: () => tar.open(member) }
  })
  const configDigest = digestOf('sha256', createHash('sha256').update(content).digest('hex'))
  return { name, digest: undefined, configDigest, config, layers }
}

function chooseEntry(
  entries: readonly DockerArchiveEntry[],
  wanted: string | undefined,
  path: string,
): DockerArchiveEntry {
  const names = namesOf(entries)
  const found = wanted === undefined ? entries : entries.filter((entry, index) => isCalled(entry, index, wanted))
  const [first] = found
  if (first !== undefined && (wanted !== undefined || found.length === 1)) return first
  const what = wanted === undefined ? `${path} has ${entries.length} images` : `${path} has no image "${wanted}"`
  throw new OciError('ERR_IMAGE_NOT_FOUND', what, {
    hint: names.length === 0 ? undefined : `choose one of: ${names.slice(0, 20).join(', ')}`,
  })
}

const namesOf = (entries: readonly DockerArchiveEntry[]): string[] =>
  entries.flatMap(({ RepoTags }, index) => (RepoTags.length > 0 ? RepoTags : [`@${index}`]))

function isCalled({ RepoTags }: DockerArchiveEntry, index: number, wanted: string): boolean {
  if (wanted.startsWith('@')) return wanted === `@${index}`
  const full = formatReference(parseReference(wanted))
  return RepoTags.some((tag) => tag === wanted || formatReference(parseReference(tag)) === full)
}

/**
 * Reads an image config. Its name has its digest, the ID that Docker shows. Docker and skopeo do not look at it: a wrong one is
 * only warned of, unless the name is that of a blob in an image layout.
 * @throws OciError `ERR_DIGEST_MISMATCH`
 */
export async function readConfig(
  tar: TarIndex,
  { Config: name }: DockerArchiveEntry,
  warn?: (message: string) => void,
): Promise<Buffer> {
  const content = await tar.read(name, maxImageConfigBytes)
  const claimed = /(?:^|[/:])([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1]
  if (claimed === undefined || createHash('sha256').update(content).digest('hex') === claimed) return content
  const text = `image config "${name}" of ${tar.path} does not have the digest in its name`
  if (name.startsWith('blobs/')) throw new OciError('ERR_DIGEST_MISMATCH', text)
  warn?.(text)
  return content
}
