import { readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { isSystemError, OciError } from '../errors.ts'
import { maxSymlinks } from './entry-path.ts'

/**
 * The name of a path inside a rootfs, its links followed as in the container. What is not there stays as it is.
 *
 * It is a name and no more: whoever opens it must expect that it leads elsewhere by then.
 * @throws OciError `ERR_BUNDLE_INVALID` its links form a loop
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

/** Undefined for what is no link. */
function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'EINVAL')) return undefined
    throw error
  }
}
