// The traces of containers on the machine, of which there must be none.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Cgroups, mounts, processes and state directories of containers with this name and a number. */
export function leftovers(name, bundle, root) {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  return [
    ...cgroups('/sys/fs/cgroup', new RegExp(`^${name}\\d+$`)),
    ...mounts.filter((line) => line.includes(bundle)),
    ...readdirSync('/proc').filter((pid) => rootOf(pid).startsWith(bundle)),
    ...readdirSync(root).filter((entry) => entry.startsWith(name)),
  ]
}

function cgroups(directory, pattern) {
  return directoriesIn(directory).flatMap((name) => [
    ...(pattern.test(name) ? [join(directory, name)] : []),
    ...cgroups(join(directory, name), pattern),
  ])
}

function directoriesIn(path) {
  try {
    const entries = readdirSync(path, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENODEV') return [] // others come and go
    throw error
  }
}

function rootOf(pid) {
  try {
    return readlinkSync(`/proc/${pid}/root`)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ESRCH', 'EACCES'].includes(error.code)) return '' // it has ended, is none, or is out of reach
    throw error
  }
}
