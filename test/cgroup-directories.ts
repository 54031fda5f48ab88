import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isSystemError } from '../src/errors.ts'

/** Every cgroup of this name in every hierarchy, those below another one first. Others may come and go meanwhile. */
export function cgroupsNamed(name: string, directory = '/sys/fs/cgroup'): readonly string[] {
  return childrenOf(directory).flatMap((child) => {
    const path = join(directory, child)
    return [...cgroupsNamed(name, path), ...(child === name ? [path] : [])]
  })
}

function childrenOf(directory: string): readonly string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENODEV')) return []
    throw error
  }
}
