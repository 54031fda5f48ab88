import { dialects, type FuzzEntry, type FuzzLayers } from './entries.ts'
import { createRandom, type Random } from './random.ts'

/** The kinds of content that the layers may have. */
export interface Taste {
  /** Names that are written oddly or lead outside, and parents that are links or files. */
  readonly isWild: boolean
  readonly hasWhiteouts: boolean
  readonly layers: number
}

/** Few names, so that entries often meet. */
const names = ['a', 'b', 'c', 'a.b', 'wh.a', '.wh', ' ', 'caf\xe9', '\xff\xfe', 'line\nfeed', 'n'.repeat(120)]
const tameNames = ['a', 'b', 'c', 'a.b', 'wh.a', 'with space', 'n'.repeat(120)]

/** Layers that `seed` determines. */
export function randomLayers(seed: number, taste: Taste): FuzzLayers {
  const random = createRandom(seed)
  const files: string[] = []
  const directories: string[] = []
  return Array.from({ length: 1 + random.int(taste.layers) }, () =>
    Array.from({ length: 1 + random.int(10) }, () => {
      const entry = randomEntry(random, taste, { files, directories })
      if (entry.kind === 'directory') directories.push(entry.path.replace(/\/+$/, ''))
      else if (!/(^|\/)\.wh\./.test(entry.path)) files.push(entry.path)
      return entry
    }),
  )
}

interface Known {
  readonly files: readonly string[]
  readonly directories: readonly string[]
}

function randomEntry(random: Random, taste: Taste, known: Known): FuzzEntry {
  const common = {
    mode: random.pick([0o644, 0o755, 0o4711, 0o2750, 0o1777, 0o400, 0, random.int(0o10000)]),
    uid: random.pick([0, 0, 1, 1000, 4_000_000]),
    gid: random.pick([0, 0, 5, 65_534]),
    seconds: random.pick([0, 1, 1_700_000_000, random.int(2 ** 31)]),
    nanoseconds: random.chance(0.1) ? random.int(1e9) : 0,
    dialect: random.pick(dialects),
    linkPath: '',
    data: '',
  }
  const path = randomPath(random, taste, known)
  if (taste.hasWhiteouts && random.chance(0.25)) return { ...common, kind: 'file', path: whiteout(random, path, known) }
  switch (random.pick(['file', 'file', 'file', 'directory', 'directory', 'symlink', 'hardlink', 'special'])) {
    case 'directory':
      // umoci and tar let new directories inherit the setgid bit and the group of a directory.
      return {
        ...common,
        kind: 'directory',
        path: `${path}/`,
        mode: taste.isWild ? common.mode : common.mode & ~0o2000,
      }
    case 'symlink':
      return { ...common, kind: 'symlink', path, linkPath: randomTarget(random, taste, known) }
    case 'hardlink': {
      const target = random.chance(0.05) ? randomPath(random, taste, known) : undefined
      const linkPath = target ?? (known.files.length > 0 ? random.pick(known.files) : undefined)
      if (linkPath !== undefined && linkPath !== path) return { ...common, kind: 'hardlink', path, linkPath }
      return { ...common, kind: 'file', path }
    }
    case 'special':
      return { ...common, kind: random.pick(['fifo', 'character'] as const), path }
    default:
      return { ...common, kind: 'file', path, data: random.pick(['', 'x', 'y'.repeat(600), `${random.int(1e6)}`]) }
  }
}

function randomPath(random: Random, { isWild }: Taste, { directories, files }: Known): string {
  const vocabulary = isWild ? names : tameNames
  if (random.chance(0.3) && files.length > 0) return random.pick(files)
  const parent =
    random.chance(0.6) && directories.length > 0
      ? random.pick(directories)
      : Array.from({ length: random.int(3) }, () => random.pick(vocabulary)).join('/')
  const path = [...(parent === '' ? [] : [parent]), random.pick(vocabulary)].join('/')
  if (!isWild || random.chance(0.8)) return path
  return random.pick([
    `./${path}`,
    `/${path}`,
    `../${path}`,
    path.replace('/', '//'),
    `${path}/./../${random.pick(vocabulary)}`,
    `a/../../${path}`,
  ])
}

function randomTarget(random: Random, taste: Taste, known: Known): string {
  const path = randomPath(random, taste, known)
  return taste.isWild ? random.pick([path, `/${path}`, `../${path}`, '..', '.', '/', `./${path}/..`]) : path
}

/** A whiteout of something in the directory of `path`, of the whole directory's contents, or of something known. */
function whiteout(random: Random, path: string, { files, directories }: Known): string {
  const known = [...files, ...directories]
  const victim = random.chance(0.7) && known.length > 0 ? random.pick(known) : path
  if (random.chance(0.3)) return victim.replace(/[^/]*$/, '.wh..wh..opq')
  return victim.replace(/[^/]*$/, (name) => `.wh.${name === '' || name === '.' || name === '..' ? 'x' : name}`)
}
