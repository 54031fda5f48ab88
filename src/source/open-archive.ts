import { OciError } from '../errors.ts'
import { byteSource } from '../layer/byte-source.ts'
import { decompress } from '../layer/decompress.ts'
import { openSpooledTar, openTarIndex, type TarIndex } from './tar-index.ts'
import { until } from './until.ts'

export interface ArchiveOptions {
  /** The stream that `-` in place of a file name stands for. */
  readonly stdin?: AsyncIterable<Uint8Array> | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Opens an archive. Members of image archives are read in any order, so standard input is copied into an unnamed file
 * first.
 * @throws OciError as `openTarIndex`; `ERR_USAGE` the path is `-`, and there is no standard input
 */
export function openArchive(path: string, { stdin, signal }: ArchiveOptions): Promise<TarIndex> {
  if (path !== '-') return openTarIndex(path, signal)
  if (stdin === undefined) throw new OciError('ERR_USAGE', 'there is no standard input to read an archive from')
  const content = signal === undefined ? stdin : until(signal, stdin)
  return openSpooledTar('standard input', decompress(byteSource(content), { warn: () => {} }), signal)
}
