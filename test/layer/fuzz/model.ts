import type { FuzzEntry, FuzzLayers } from './entries.ts'

/**
 * A model of the result of layers, written from the rules alone: a flat table of paths, in which each lookup searches
 * all rows. It shares no code and no structure with the applier.
 */
export interface ModelFile {
  readonly kind: 'file' | 'directory' | 'symlink' | 'fifo' | 'character'
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly time: bigint
  /** Contents of a file, target of a symlink. */
  readonly text: string
  /** Names with the same identity are hard links. */
  readonly identity: object
}

interface Row {
  readonly file: ModelFile
  /** The layer that created the row. */
  readonly layer: number
}

export type Model = ReadonlyMap<string, ModelFile>

/** The layers are invalid by the model. */
export class InvalidLayers extends Error {}

const implied = (): ModelFile => ({ kind: 'directory', mode: 0o755, uid: 0, gid: 0, time: 0n, text: '', identity: {} })

/** The tree of layers. @param strictOverlay true when links of lower layers are hidden rather than followed */
export function modelOf(layers: FuzzLayers, strictOverlay = false): Model {
  const rows = new Map<string, Row>([['', { file: implied(), layer: -1 }]])
  for (const [layer, entries] of layers.entries()) {
    const follows = (row: Row): boolean => !strictOverlay || row.layer === layer
    for (const entry of entries) apply(rows, entry, { layer, follows })
  }
  return new Map([...rows].map(([path, { file }]) => [path, file]))
}

interface Place {
  readonly layer: number
  /** True when a link among the parents is followed. */
  readonly follows: (row: Row) => boolean
}

function apply(rows: Map<string, Row>, entry: FuzzEntry, { layer, follows }: Place): void {
  const path = clean(entry.path)
  const name = path.at(-1)
  if (name?.startsWith('.wh.')) {
    applyWhiteout(rows, path.slice(0, -1), { name: name.slice(4), layer, follows })
    return
  }
  if (name === undefined) {
    if (entry.kind !== 'directory') throw new InvalidLayers('the root is no directory')
    rows.set('', { file: fileOf(entry), layer })
    return
  }
  const parent = follow(
    rows,
    path.slice(0, -1),
    (place) => {
      removeTree(rows, place)
      rows.set(place, { file: implied(), layer })
      return true
    },
    follows,
  )
  if (parent === undefined) throw new Error('a parent is made where there is none')
  const place = join(parent, name)
  const there = rows.get(place)
  if (entry.kind === 'directory') {
    if (there?.file.kind !== 'directory') removeTree(rows, place)
    rows.set(place, { file: fileOf(entry), layer })
  } else if (entry.kind === 'hardlink') {
    const target = linkTarget(rows, entry)
    if (target === place) return
    removeTree(rows, place)
    const again = linkTarget(rows, entry)
    rows.set(place, { file: fileAt(rows, again), layer })
  } else {
    removeTree(rows, place)
    rows.set(place, { file: fileOf(entry), layer })
  }
}

function linkTarget(rows: Map<string, Row>, { linkPath }: FuzzEntry): string {
  const path = clean(linkPath)
  const directory = follow(rows, path.slice(0, -1), () => false)
  const place = directory === undefined ? undefined : join(directory, path.at(-1) ?? '')
  const row = place === undefined || path.length === 0 ? undefined : rows.get(place)
  if (place === undefined || row === undefined || row.file.kind === 'directory') {
    throw new InvalidLayers('a hard link to nothing or to a directory')
  }
  return place
}

function applyWhiteout(
  rows: Map<string, Row>,
  directory: readonly string[],
  { name, layer, follows }: Place & { readonly name: string },
): void {
  if (name === '' || name === '.' || name === '..') throw new InvalidLayers('a whiteout of nothing')
  if (name === '.wh..opq') {
    // The last component is not followed: only a directory counts there.
    const parent = directory.length === 0 ? '' : follow(rows, directory.slice(0, -1), () => false, follows)
    if (parent === undefined) return
    const place = directory.length === 0 ? '' : join(parent, directory.at(-1) ?? '')
    if (rows.get(place)?.file.kind !== 'directory') return
    for (const path of [...rows.keys()]) if (isBelow(path, place)) removeLower(rows, path, layer)
    return
  }
  if (name.startsWith('.wh.')) return
  const parent = follow(rows, directory, () => false, follows)
  if (parent === undefined) return
  const place = join(parent, name)
  for (const path of [...rows.keys()]) if (path === place || isBelow(path, place)) removeLower(rows, path, layer)
}

/** Removes a row of a lower layer that nothing of this layer stands on. */
function removeLower(rows: Map<string, Row>, path: string, layer: number): void {
  const isSpared = [...rows].some(([other, row]) => row.layer === layer && (other === path || isBelow(other, path)))
  if (!isSpared) rows.delete(path)
}

function removeTree(rows: Map<string, Row>, place: string): void {
  for (const path of [...rows.keys()]) if (path === place || isBelow(path, place)) rows.delete(path)
}

/**
 * The directory that components lead to, links followed within the root.
 * @param make called for a path that is not a directory; returns true when it has made one
 */
function follow(
  rows: Map<string, Row>,
  components: readonly string[],
  make: (place: string) => boolean,
  follows: (row: Row) => boolean = () => true,
): string | undefined {
  let at = ''
  let left = [...components]
  let links = 0
  while (left.length > 0) {
    const [name = '', ...rest] = left
    left = rest
    if (name === '' || name === '.') continue
    if (name === '..') {
      at = at.split('/').slice(0, -1).join('/')
      continue
    }
    const place = join(at, name)
    const row = rows.get(place)
    const file = row?.file
    if (row !== undefined && file?.kind === 'symlink' && follows(row)) {
      links += 1
      if (links > 40) throw new InvalidLayers('too many links')
      if (file.text.startsWith('/')) at = ''
      left = [...file.text.split('/'), ...left]
    } else if (file?.kind === 'directory' || make(place)) at = place
    else return undefined
  }
  return at
}

function fileOf({ kind, mode, uid, gid, seconds, nanoseconds, linkPath, data }: FuzzEntry): ModelFile {
  if (kind === 'hardlink') throw new Error('a hard link is no file of its own')
  if (kind === 'symlink' && linkPath === '') throw new InvalidLayers('a symlink to nothing')
  const time = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)
  return { kind, mode, uid, gid, time, text: kind === 'symlink' ? linkPath : data, identity: {} }
}

function fileAt(rows: Map<string, Row>, path: string): ModelFile {
  const row = rows.get(path)
  if (row === undefined) throw new Error('there is no such row')
  return row.file
}

function clean(path: string): string[] {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts
}

const join = (directory: string, name: string): string => (directory === '' ? name : `${directory}/${name}`)
const isBelow = (path: string, directory: string): boolean =>
  directory === '' ? path !== '' : path.startsWith(`${directory}/`)
