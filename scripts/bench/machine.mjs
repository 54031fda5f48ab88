// The tool and the peers that are measured, and the places where.
import { accessSync, constants, readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { output } from './processes.mjs'

const inProject = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

export const ours = inProject('bin/bundle-tool')
export const runner = inProject('dist/bundle-tool-runner')
export const library = inProject('dist/bin/index.mjs')
export const compiled = (module) => import(inProject(`dist/${module}`))

export function isInstalled(program) {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK)
      return true
    } catch (error) {
      if (error.syscall === undefined) throw error
      return false
    }
  })
}

/** True when /sys/fs/cgroup is a cgroup v2 hierarchy and nothing else, the only one that crun takes. */
export const isUnified = () => readFileSync('/proc/mounts', 'utf8').includes(' /sys/fs/cgroup cgroup2 ')

export function describeMachine() {
  const [cpu] = cpus()
  const peers = ['runc', 'crun', 'skopeo', 'umoci', 'podman'].filter(isInstalled)
  const version = (program) => /\d+\.\d+[.\d]*/.exec(output(program, '--version'))?.[0] ?? '?'
  const load = readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 2).join(' ')
  return [
    `${cpus().length} x ${cpu?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB, load before: ${load}`,
    `Linux ${readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim()}, Node.js ${process.versions.node}, ${peers
      .map((program) => `${program} ${version(program)}`)
      .join(', ')}`,
  ]
}
