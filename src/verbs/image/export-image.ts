import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { placeNameKind } from '../../oci/place-name.ts'
import { exportRootfs } from './export.ts'
import { makePrivateDirectory } from './private-directory.ts'
import { type PullOptions, pull } from './pull.ts'
import { unpack } from './unpack.ts'

/** @see PullOptions: `out` is a place of its own */
export type ExportImageOptions = Omit<PullOptions, 'out' | 'force' | 'terminal' | 'changes'>

/**
 * The rootfs of an image as a tar archive: what `exportRootfs` gives for a bundle of it, which is made in a temporary
 * directory (`$TMPDIR`) and removed.
 *
 * @param image a reference of a registry, or a source as `unpack` names it
 * @throws OciError as `pull`, `unpack` and `exportRootfs`
 */
export async function* exportImage(image: string, options: ExportImageOptions): AsyncGenerator<Uint8Array> {
  const scratch = await makePrivateDirectory(join(tmpdir(), 'bundle-tool-export-'))
  try {
    const out = join(scratch.anchor, 'bundle')
    const make = isSource(image) ? unpack : pull
    const { bundle } = await make(image, { ...options, out })
    yield* exportRootfs({ bundle, signal: options.signal, warn: options.warn })
  } finally {
    scratch.remove()
    scratch.close()
  }
}

const isSource = (image: string): boolean => placeNameKind(image) !== undefined || existsSync(image)
