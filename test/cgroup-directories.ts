import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
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
    // What a user may not look into is another's.
    if (isSystemError(error, 'ENOENT', 'ENODEV', 'EACCES')) return []
    throw error
  }
}

const unifiedControl = '/sys/fs/cgroup/unified/cgroup.subtree_control'

/**
 * Turns off what has been turned on in the root of a hybrid host's unified hierarchy since: the directories of its cgroups
 * have other files else. What others use meanwhile stays on.
 *
 * @param before what `unifiedControllers` was
 */
export function turnOffAllBut(before: string): void {
  for (const name of unifiedControllers().split(' ')) {
    if (name === '' || before.split(' ').includes(name)) continue
    try {
      writeFileSync(unifiedControl, `-${name}`)
    } catch (error) {
      if (!isSystemError(error, 'EBUSY')) throw error
    }
  }
}

/** The files of cgroups below the root of a hybrid host's unified hierarchy, with blanks between. */
export const unifiedControllers = (): string =>
  existsSync(unifiedControl) ? readFileSync(unifiedControl, 'utf8').trim() : ''
