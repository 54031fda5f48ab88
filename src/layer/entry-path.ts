import { OciError } from '../errors.ts'
import { shown } from './tar/reader.ts'

/** `NAME_MAX` of every Linux file system. */
const maxNameBytes = 255
/** `PATH_MAX` of Linux, which includes the rootfs's own path and a NUL. */
const maxPathBytes = 4096
/** Deeper than any real tree; recursive walks of the tree rely on this limit (CVE-2024-28863). */
const maxDepth = 512
/** The number of symlinks that the kernel follows in one path (man 7 path_resolution). */
export const maxSymlinks = 40

/**
 * The components of an entry's name, normalised as an absolute path: without empty components and `.`, and with each
 * `..` applied to the component before it, or to nothing at the root. No name leads outside.
 * @returns an empty list for the root itself
 */
export function componentsOf(path: string): string[] {
  const parts = path.split('/')
  if (!parts.some((part) => part === '' || part === '.' || part === '..')) return parts
  const clean: string[] = []
  for (const part of parts) {
    if (part === '..') clean.pop()
    else if (part !== '' && part !== '.') clean.push(part)
  }
  return clean
}

/**
 * Checks the limits of file systems.
 * @throws OciError `ERR_LIMIT_EXCEEDED` the name or the path is too long, or the depth too great
 */
export function checkPathLimits(diskPath: string, name: string, depth: number): void {
  if (name.length > maxNameBytes) throw tooLong(name, `a name of more than ${maxNameBytes} bytes`)
  if (diskPath.length >= maxPathBytes) throw tooLong(name, `a path of more than ${maxPathBytes} bytes`)
  if (depth > maxDepth) throw tooLong(name, `more than ${maxDepth} directories above it`)
}

/** Checks the target of a symlink, which Linux limits as it does a path. @throws OciError `ERR_LIMIT_EXCEEDED` */
export function checkLinkTarget(name: string, target: string): void {
  if (target.length >= maxPathBytes) throw tooLong(name, `a target of more than ${maxPathBytes} bytes`)
}

const tooLong = (name: string, what: string): OciError =>
  new OciError('ERR_LIMIT_EXCEEDED', `entry ${shown(name.slice(0, 60))} has ${what}`)
