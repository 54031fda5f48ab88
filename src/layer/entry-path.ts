import { OciError } from '../errors.ts'
import { shown } from './tar/reader.ts'

/** `NAME_MAX` of every Linux file system. */
const maxNameBytes = 255
/** `PATH_MAX` of Linux is 4096 with the rootfs's own path and a NUL. */
const maxPathBytes = 4096
/** Deeper than any real tree; what walks the tree recursively relies on it (CVE-2024-28863). */
const maxDepth = 512
/** As many links as the kernel follows in one path (man 7 path_resolution). */
export const maxSymlinks = 40

/**
 * The components of an archive's name, cleaned as a path that starts at the root: no empty ones, no `.`, and each `..`
 * has removed the component before it, or nothing at the root. So no name leads outside.
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

/** @throws OciError `ERR_LIMIT_EXCEEDED` the name, the path or the depth is more than a file system takes */
export function checkPathLimits(diskPath: string, name: string, depth: number): void {
  if (name.length > maxNameBytes) throw tooLong(name, `a name of more than ${maxNameBytes} bytes`)
  if (diskPath.length >= maxPathBytes) throw tooLong(name, `a path of more than ${maxPathBytes} bytes`)
  if (depth > maxDepth) throw tooLong(name, `more than ${maxDepth} directories above it`)
}

const tooLong = (name: string, what: string): OciError =>
  new OciError('ERR_LIMIT_EXCEEDED', `entry ${shown(name.slice(0, 60))} has ${what}`)
