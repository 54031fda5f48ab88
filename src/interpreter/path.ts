/** `node:path` of Node.js on Linux, as far as the runtime uses it. */
export interface PathModule {
  readonly basename: (path: string, suffix?: string) => string
  readonly dirname: (path: string) => string
  readonly join: (...parts: readonly string[]) => string
  readonly normalize: (path: string) => string
  readonly resolve: (...parts: readonly string[]) => string
}

/** @param currentDirectory is called for a path that has to be resolved against it */
export function makePathModule(currentDirectory: () => string): PathModule {
  return {
    basename,
    dirname,
    join,
    normalize,
    resolve: (...parts) => {
      let path = ''
      for (let at = parts.length - 1; at >= 0 && !path.startsWith('/'); at--) {
        if (parts[at] !== '') path = path === '' ? (parts[at] ?? '') : `${parts[at]}/${path}`
      }
      if (!path.startsWith('/')) path = `${currentDirectory()}/${path}`
      return `/${plainParts(path).join('/')}`
    },
  }
}

function basename(path: string, suffix = ''): string {
  if (path === suffix) return ''
  const whole = withoutEnd(path)
  const name = whole.slice(whole.lastIndexOf('/') + 1)
  return name !== suffix && name.endsWith(suffix) ? name.slice(0, name.length - suffix.length) : name
}

function dirname(path: string): string {
  if (path === '') return '.'
  const whole = withoutEnd(path)
  const end = whole.lastIndexOf('/')
  if (end === -1) return path.startsWith('/') ? '/' : '.'
  // Two slashes at the beginning are a root of their own in POSIX, and Node.js keeps them.
  if (end === 1 && path.startsWith('//')) return '//'
  return whole.slice(0, end) || '/'
}

/** Without the slashes behind the last part. */
const withoutEnd = (path: string): string => {
  let end = path.length
  while (end > 0 && path[end - 1] === '/') end--
  return path.slice(0, end)
}

function join(...parts: readonly string[]): string {
  return normalize(parts.filter((part) => part !== '').join('/'))
}

function normalize(path: string): string {
  if (path === '') return '.'
  const isAbsolute = path.startsWith('/')
  const plain = plainParts(path).join('/')
  const end = path.endsWith('/') ? '/' : ''
  if (isAbsolute) return plain === '' ? '/' : `/${plain}${end}`
  return plain === '' ? `.${end}` : plain + end
}

/** The parts without empty ones and '.', and without those that a '..' takes back; at the root there is nothing to be taken back. */
function plainParts(path: string): readonly string[] {
  const isAbsolute = path.startsWith('/')
  const plain: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') plain.push(part)
    else if (plain.length > 0 && plain.at(-1) !== '..') plain.pop()
    else if (!isAbsolute) plain.push(part)
  }
  return plain
}
