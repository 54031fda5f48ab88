import { base256, file, gnu, gnuLong, type HeaderFields, header, pax, tar } from '../tar/builder.ts'

/** One entry of a layer that the fuzzer invents; names are bytes, one character (U+0000 to U+00FF) each. */
export interface FuzzEntry {
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'character'
  readonly path: string
  readonly linkPath: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly seconds: number
  readonly nanoseconds: number
  readonly data: string
  readonly dialect: Dialect
}

export const dialects = ['v7', 'ustar', 'gnu', 'pax'] as const
export type Dialect = (typeof dialects)[number]

export type FuzzLayers = readonly (readonly FuzzEntry[])[]

const types = { file: '0', hardlink: '1', symlink: '2', character: '3', directory: '5', fifo: '6' } as const

/** The archive of a layer, each entry in its dialect, or in PAX where that cannot hold it. */
export const encodeLayer = (entries: readonly FuzzEntry[]): Buffer => tar(...entries.map(encodeEntry))

function encodeEntry(entry: FuzzEntry): Buffer {
  const { kind, path, linkPath, mode, uid, gid, seconds, data } = entry
  const isSpecial = kind === 'character' || kind === 'fifo'
  const isPlain =
    path.length <= 100 && linkPath.length <= 100 && entry.nanoseconds === 0 && uid < 2 ** 21 && gid < 2 ** 21
  const fields: HeaderFields = { name: path, linkName: linkPath, mode, uid, gid, mtime: seconds, type: types[kind] }
  const device = kind === 'character' ? { major: 1, minor: 3 } : {}
  switch (entry.dialect) {
    case 'v7':
      // In v7, directories are files with a slash at the end of their names.
      if (!isPlain || isSpecial || (kind === 'directory' && !path.endsWith('/'))) return encodePax(entry)
      return file(path, data, { ...fields, magic: '\0'.repeat(8), type: kind === 'directory' ? '\0' : types[kind] })
    case 'ustar':
      return isPlain ? file(path, data, { ...fields, ...device }) : encodePax(entry)
    case 'gnu': {
      if (entry.nanoseconds !== 0) return encodePax(entry)
      const longs = [
        ...(path.length > 100 ? [gnuLong('L', path)] : []),
        ...(linkPath.length > 100 ? [gnuLong('K', linkPath)] : []),
      ]
      const short = { name: path.slice(0, 100), linkName: linkPath.slice(0, 100), uid: base256(BigInt(uid), 8) }
      return Buffer.concat([
        ...longs,
        file('', data, { ...fields, ...device, ...short, gid: base256(BigInt(gid), 8), magic: gnu }),
      ])
    }
    case 'pax':
      return encodePax(entry)
  }
}

/** All values in PAX records, and wrong values in the header. */
function encodePax(entry: FuzzEntry): Buffer {
  const { kind, path, linkPath, mode, uid, gid, seconds, nanoseconds, data } = entry
  const records = {
    path,
    ...(linkPath !== '' && { linkpath: linkPath }),
    uid: String(uid),
    gid: String(gid),
    mtime: `${seconds}.${String(nanoseconds).padStart(9, '0')}`,
    size: String(data.length),
  }
  const fields = { name: 'nonsense', linkName: 'nonsense', mode, uid: 7, gid: 7, mtime: 7, type: types[kind] }
  const device = kind === 'character' ? { major: 1, minor: 3 } : {}
  const body = file('', data, { ...fields, ...device })
  return Buffer.concat([pax(records), data === '' ? header({ ...fields, ...device }) : body])
}
