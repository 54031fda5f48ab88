import { readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { isSystemError, OciError } from '../errors.ts'
import { maxSymlinks } from './entry-path.ts'

/**
 * A path inside a rootfs with its links resolved as in the container; components that do not exist are kept.
 *
 * The result is only a name: by the time a caller opens it, it may lead elsewhere.
 * @throws OciError `ERR_BUNDLE_INVALID` the links form a loop
 */
export function realPathInRootfs(rootfs: string, path: string): string {
  const rest = path.split('/').reverse()
  const names: string[] = []
  let links = 0
  for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
    if (name === '' || name === '.') continue
    if (name === '..') {
      names.pop()
      continue
    }
    const target = linkTarget(join(rootfs, ...names, name))
    if (target === undefined) {
      names.push(name)
      continue
    }
    links += 1
    if (links > maxSymlinks) {
      throw new OciError('ERR_BUNDLE_INVALID', `"${path}" in the rootfs leads through more than ${maxSymlinks} links`)
    }
    if (target.startsWith('/')) names.length = 0
    rest.push(...target.split('/').reverse())
  }
  return `/${names.join('/')}`
}

/** The target of a symlink; undefined for other files and for a path that does not exist. */
function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'EINVAL')) return undefined
    throw error
  }
}
