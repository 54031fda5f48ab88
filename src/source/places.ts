import { dirname, resolve } from 'node:path'
import { OciError } from '../errors.ts'
import { isDigest } from '../oci/digest.ts'
import { placeNameKind, splitPath } from '../oci/place-name.ts'
import { parseReference } from '../oci/reference.ts'
import { allow, allowReference, pullAccess, pushAccess } from '../registry/access.ts'
import type { RegistryOptions } from '../registry/options.ts'
import { fileOrigin, type Origin } from '../registry/policy.ts'
import { checkRegistryName, foreignPlaceHint } from '../registry/registry-name.ts'
import { resolveReference } from '../registry/short-names.ts'
import { checkWritable } from '../writable.ts'
import { archiveTarget } from './archive-target.ts'
import type { Content, Target } from './content.ts'
import { dockerArchiveContent } from './docker-archive-content.ts'
import { openDaemonArchive } from './docker-daemon.ts'
import { findKind } from './find-kind.ts'
import { layoutTarget } from './layout-target.ts'
import { ociArchiveContent, ociLayoutContent } from './oci-layout.ts'
import { type ArchiveOptions, openArchive } from './open-archive.ts'
import { repositoryContent, repositoryTarget } from './repository-content.ts'

/** The kinds of places of images, as the command line names them, with the form of the rest. */
export const placeKinds = {
  docker: '//REFERENCE',
  oci: 'DIR[:TAG]',
  'oci-archive': 'FILE[:TAG]',
  'docker-archive': 'FILE[:REFERENCE]',
  'docker-daemon': 'REFERENCE (to read)',
} as const

/** Options for reading an image; `stdin` is what `-` in place of a file name stands for. */
export interface ContentOptions extends RegistryOptions, ArchiveOptions {}

/** The kind of a place; `path` is a file or a directory whose content tells its kind. */
type PlaceKind = keyof typeof placeKinds | 'path'

/**
 * Opens an image by its name on the command line.
 * @param isUsed true when the image will be used, which policy.json may forbid, and not just inspected
 * @throws OciError `ERR_USAGE`, `ERR_REFERENCE_INVALID`, `ERR_SOURCE_INVALID`, `ERR_POLICY`, and the errors of reading
 *   configuration
 */
export async function openContent(text: string, options: ContentOptions, isUsed = false): Promise<Content> {
  const { kind, rest } = parsePlace(text)
  const [path, name] = splitPath(rest)
  if (kind === 'path') return openByContent(rest, options, isUsed)
  if (isUsed && kind !== 'docker') await allow(originOf(kind, rest), text, options)
  switch (kind) {
    case 'docker': {
      const reference = await resolveReference(rest, options.env ?? process.env)
      const signatures = isUsed ? await allowReference(reference, options) : undefined
      return repositoryContent(reference, await pullAccess(reference, options), signatures)
    }
    case 'oci':
      return ociLayoutContent(path, name)
    case 'oci-archive':
      return ociArchiveContent(await openArchive(path, options), name)
    case 'docker-archive':
      return dockerArchiveContent(await openArchive(path, options), name, options.warn)
    case 'docker-daemon':
      return dockerArchiveContent(await openDaemonArchive(rest, options), undefined, options.warn)
  }
}

async function openByContent(path: string, options: ContentOptions, isUsed: boolean): Promise<Content> {
  const found = await findKind(path, {
    openArchive: () => openArchive(path, options),
    help: 'name an archive or an image layout, or an image in a registry',
  })
  try {
    if (found.kind === 'rootfs') throw withoutImage(path)
    if (isUsed) await allow(originOf(found.kind, resolve(path)), path, options)
  } catch (error) {
    if (found.kind !== 'oci') await found.tar.close()
    throw error
  }
  if (found.kind === 'oci') return ociLayoutContent(path)
  if (found.kind === 'oci-archive') return ociArchiveContent(found.tar)
  return dockerArchiveContent(found.tar, undefined, options.warn)
}

const withoutImage = (path: string): OciError =>
  new OciError(
    'ERR_SOURCE_INVALID',
    `${path} has the files of a rootfs, as "docker export" writes them, and no image`,
    {
      hint: `make a bundle of it with "bundle-tool unpack ${path} --out BUNDLE"`,
    },
  )

export interface TargetOptions extends RegistryOptions {
  /** Receives the bytes of an archive whose file is `-`. */
  readonly output?: ((bytes: Uint8Array) => Promise<void>) | undefined
}

/**
 * Refuses a target that cannot be written to, before anything is read for it.
 * @throws OciError `ERR_USAGE`, `ERR_FILE_SYSTEM`, and for a name of a registry `ERR_REFERENCE_INVALID`
 */
export function checkTarget(text: string): void {
  const { kind, rest } = parsePlace(text)
  const [path, name = ''] = splitPath(rest)
  if (kind.startsWith('oci') && (name.startsWith('@') || isDigest(name))) {
    throw new OciError('ERR_USAGE', `"${name}" chooses an image of a place, and names none in ${text}`, {
      hint: 'name the image, or leave that out',
    })
  }
  const how = { code: 'ERR_FILE_SYSTEM', what: `cannot write ${text}`, hint: 'name another place' } as const
  if (kind === 'docker') checkRegistryName(rest)
  else if (kind === 'oci') checkWritable(path, { ...how, isMade: true })
  else if (kind.endsWith('-archive') && path !== '-') checkWritable(dirname(resolve(path)), how)
}

/** Opens a place to write to by its name on the command line. @throws OciError as `openContent` */
export async function openTarget(text: string, options: TargetOptions): Promise<Target> {
  const { kind, rest } = parsePlace(text)
  const [path, name] = splitPath(rest)
  switch (kind) {
    case 'docker': {
      checkRegistryName(rest)
      const reference = parseReference(rest)
      return repositoryTarget(reference, await pushAccess(reference, options))
    }
    case 'oci':
      return layoutTarget(path, name)
    case 'oci-archive':
    case 'docker-archive':
      return archiveTarget({ path, name, output: options.output, isForDocker: kind === 'docker-archive' })
    case 'path':
      throw new OciError('ERR_USAGE', `"${text}" names a path without the format to write`, {
        hint: `write docker-archive:${text}, oci-archive:${text} or oci:${text}`,
      })
    case 'docker-daemon':
      throw new OciError('ERR_NOT_SUPPORTED', 'images cannot be copied to a daemon', {
        hint: 'copy to docker-archive:FILE, and run "docker load -i FILE"',
      })
  }
}

function originOf(kind: keyof typeof placeKinds, rest: string): Origin {
  const [path, name] = splitPath(rest)
  if (kind === 'docker-daemon') return { transport: kind, scopes: [rest] }
  return fileOrigin(kind, resolve(path), name)
}

/**
 * The kind of place that a name stands for, and the rest of the name. A name without a kind is a path when its
 * beginning or its end says so (`placeNameKind`), and otherwise one of a registry.
 * @throws OciError `ERR_USAGE`, `ERR_SOURCE_INVALID`
 */
export function parsePlace(text: string): { readonly kind: PlaceKind; readonly rest: string } {
  const colon = text.indexOf(':')
  const word = text.slice(0, colon)
  const rest = text.slice(colon + 1)
  if (colon < 0 || !isKind(word)) return placeWithoutWord(text)
  if (word === 'docker') {
    if (rest.startsWith('//')) return { kind: word, rest: rest.slice(2) }
    return { kind: word, rest: text }
  }
  if (rest !== '') return { kind: word, rest }
  throw new OciError('ERR_USAGE', `"${text}" names nothing`, { hint: `write ${word}:${placeKinds[word]}` })
}

function placeWithoutWord(text: string): { readonly kind: PlaceKind; readonly rest: string } {
  const kind = placeNameKind(text)
  if (kind === 'source') throw withoutImage(text)
  if (kind !== 'foreign') return { kind: kind ?? 'docker', rest: text }
  throw new OciError('ERR_USAGE', `"${text}" is a kind of place that is not known here`, {
    hint: foreignPlaceHint(text),
  })
}

const isKind = (word: string): word is keyof typeof placeKinds => Object.hasOwn(placeKinds, word)
