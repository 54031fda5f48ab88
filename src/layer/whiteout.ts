import { OciError } from '../errors.ts'
import { componentsOf } from './entry-path.ts'
import { shown } from './tar/reader.ts'

/**
 * The meaning of an entry's name for lower layers.
 *
 * `remove` hides `name` in `dir`, `opaque` hides everything in `dir`, `metadata` is an AUFS marker without effect.
 * `dir` is a list of components, empty for the root.
 */
export type Whiteout =
  | { readonly kind: 'remove'; readonly dir: readonly string[]; readonly name: string }
  | { readonly kind: 'opaque'; readonly dir: readonly string[] }
  | { readonly kind: 'metadata' }

const prefix = '.wh.'

/**
 * The whiteout that a name stands for, or undefined for an ordinary entry. Only the last component counts: a file in a
 * directory called `.wh.etc` is an ordinary file, and never removes `etc`.
 * @throws OciError `ERR_LAYER_INVALID` the whiteout names nothing, the directory itself or its parent
 * @see image-spec v1.1.1 layer.md "Whiteouts"
 */
export function parseWhiteout(path: string): Whiteout | undefined {
  if (!path.includes(prefix)) return undefined
  const dir = componentsOf(path)
  const base = dir.pop() ?? ''
  if (!base.startsWith(prefix)) return undefined
  if (base === '.wh..wh..opq') return { kind: 'opaque', dir }
  if (base.startsWith('.wh..wh.')) return { kind: 'metadata' }
  const name = base.slice(prefix.length)
  if (name === '' || name === '.' || name === '..') {
    throw new OciError('ERR_LAYER_INVALID', `whiteout ${shown(path)} names no file to remove`)
  }
  return { kind: 'remove', dir, name }
}
