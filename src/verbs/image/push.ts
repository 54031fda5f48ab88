import { OciError } from '../../errors.ts'
import { formatReference, parseReference } from '../../oci/reference.ts'
import { checkRegistryName } from '../../registry/registry-name.ts'
import { defaultStorePath } from '../../store/location.ts'
import { openStore } from '../../store/store.ts'
import { type CopyOptions, type CopyResult, copy } from './copy.ts'

export interface PushOptions extends CopyOptions {
  /** The source, as `copy` names it; default: the image of the store with the name that is pushed to. */
  readonly from?: string | undefined
  /** Directory of the store; default as for `pull`. */
  readonly store?: string | undefined
}

/** Copies an image to a registry. @throws OciError as `copy` */
export async function push(name: string, options: PushOptions = {}): Promise<CopyResult> {
  const image = name.replace(/^docker:\/\//, '')
  checkRegistryName(image, (source) => `name a registry, and what to push with --from ${source}`)
  const reference = formatReference(parseReference(image))
  return copy(options.from ?? (await inStore(reference, options)), `docker://${reference}`, options)
}

async function inStore(name: string, { store: path, env = process.env }: PushOptions): Promise<string> {
  const store = await openStore(path ?? defaultStorePath(env))
  if ((await store.find(name)).length > 0) return `oci:${store.path}:${name}`
  throw new OciError('ERR_IMAGE_NOT_FOUND', `the store has no ${name}`, {
    hint: 'name what to push with --from, as in oci:DIR:TAG; "bundle-tool images" lists the store',
  })
}
