import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { leadsNowhere, OciError } from '../errors.ts'
import { placeNameKind, splitPath } from '../oci/place-name.ts'
import { allow } from '../registry/access.ts'
import { fileOrigin } from '../registry/policy.ts'
import { foreignPlaceHint } from '../registry/registry-name.ts'
import { dockerArchive } from './docker-archive.ts'
import { openDaemonArchive } from './docker-daemon.ts'
import { findKind } from './find-kind.ts'
import type { Source } from './image.ts'
import { ociArchive, openOciLayout } from './oci-layout.ts'
import { type ArchiveOptions, openArchive } from './open-archive.ts'
import { readArchive, rootfsArchive } from './rootfs-archive.ts'
import type { TarIndex } from './tar-index.ts'
import { until } from './until.ts'

export interface SourceOptions extends ArchiveOptions {
  /** The policy file, which states the images that may be used; default: containers' policy.json. */
  readonly policy?: string | undefined
  /** Environment for `DOCKER_HOST` and the paths of configuration; default: that of the process. */
  readonly env?: NodeJS.ProcessEnv | undefined
  /** Called about what is wrong with a source and does no harm. */
  readonly warn?: ((message: string) => void) | undefined
}

/** The kinds of local source, with the form of the rest on the command line. */
export const sourceKinds = {
  'docker-archive': 'F[:REF]',
  'docker-daemon': 'REF',
  'oci-archive': 'F[:TAG]',
  oci: 'DIR[:TAG]',
  rootfs: 'F',
} as const

/**
 * Opens a local source by its name: `KIND:...`, or a bare file or directory name, whose content tells the kind. A bare
 * name with a colon begins with `/` or `.`, or names an existing file. `-` in place of a file name is standard input.
 * @throws OciError `ERR_USAGE` an unknown kind; `ERR_SOURCE_INVALID` the content does not match the kind
 */
export async function openSource(text: string, options: SourceOptions = {}): Promise<Source> {
  const colon = text.indexOf(':')
  const kind = colon < 0 ? '' : text.slice(0, colon)
  const rest = text.slice(colon + 1)
  if (colon >= 0 && rest === '') throw usage(text)
  const [path, name] = splitPath(rest)
  if (kind === 'docker-daemon') await allow({ transport: kind, scopes: [rest] }, text, options)
  else if (Object.hasOwn(sourceKinds, kind) && kind !== 'rootfs') {
    await allow(fileOrigin(kind, resolve(path), name), text, options)
  }
  switch (kind) {
    case 'docker-archive':
      return dockerArchive(await openArchive(path, options), name, options.warn)
    case 'docker-daemon':
      return dockerArchive(await openDaemonArchive(rest, options), undefined, options.warn)
    case 'oci-archive':
      return ociArchive(await openArchive(path, options), name)
    case 'oci':
      return openOciLayout(...splitPath(rest))
    case 'rootfs':
      return openRootfs(rest, options)
    default:
      if (colon >= 0 && !/^[./]/.test(text) && !(await exists(text))) throw usage(text)
      return openByContent(text, options)
  }
}

/** Opens a rootfs archive. A pipe may be silent for any time, so `signal` also ends a read that is waiting. */
function openRootfs(path: string, { stdin, signal = new AbortController().signal }: SourceOptions): Source {
  if (path !== '-') return rootfsArchive(path, () => until(signal, readArchive(path)))
  if (stdin === undefined) throw new OciError('ERR_USAGE', 'there is no standard input to read a rootfs from')
  return rootfsArchive('standard input', () => until(signal, stdin))
}

async function openByContent(path: string, options: SourceOptions): Promise<Source> {
  const found = await findKind(path, {
    openArchive: () => openArchive(path, options),
    help: `name a file, or one of ${Object.keys(sourceKinds).join(':, ')}:; "bundle-tool pull" takes images of a registry`,
  })
  if (found.kind === 'rootfs') return openFoundRootfs(found.tar)
  try {
    await allow(fileOrigin(found.kind, resolve(path), undefined), path, options)
  } catch (error) {
    if (found.kind !== 'oci') await found.tar.close()
    throw error
  }
  if (found.kind === 'oci') return openOciLayout(path)
  if (found.kind === 'oci-archive') return ociArchive(found.tar)
  return dockerArchive(found.tar, undefined, options.warn)
}

const openFoundRootfs = (tar: TarIndex): Source =>
  rootfsArchive(
    tar.path,
    () => tar.openAll(),
    () => tar.close(),
  )

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (leadsNowhere(error)) return false
    throw error
  }
}

function usage(text: string): OciError {
  const forms = Object.entries(sourceKinds).map(([kind, form]) => `${kind}:${form}`)
  return new OciError('ERR_USAGE', `"${text}" is not a source`, {
    hint:
      placeNameKind(text) === 'foreign'
        ? foreignPlaceHint(text)
        : `write one of ${forms.join('; ')}; or a file name; F may be - for standard input; "bundle-tool pull" takes images of a registry`,
  })
}
