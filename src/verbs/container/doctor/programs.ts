import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { OciError } from '../../../errors.ts'
import { ownBinary } from '../../../runtime/own-binary.ts'
import { findRunner } from '../../../runtime/runner.ts'
import { type Caller, type Finding, findProgram, install } from './finding.ts'

export function ownBinaries(): Finding {
  const name = 'own binaries'
  try {
    const runner = findRunner()
    const front = ownBinary('bundle-tool')
    if (existsSync(front)) return { name, status: 'works', says: dirname(runner) }
    return { name, status: 'missing', says: `${front} is not there: each command starts Node.js`, fix: 'npm run build' }
  } catch (error) {
    if (!(error instanceof OciError)) throw error
    return { name, status: 'failed', says: error.message, fix: 'npm run build' }
  }
}

export function interpreter(): Finding {
  const path = join(dirname(ownBinary('bundle-tool')), 'bundle-tool-interpreter')
  if (existsSync(path)) return { name: 'interpreter', status: 'works', says: path }
  const says = 'not there: Node.js compiles what is run for the first time, which takes 20 ms more'
  return { name: 'interpreter', status: 'missing', says, fix: 'install Rust 1.87 or newer, and "npm run build"' }
}

export const node = (): Finding => ({
  name: 'Node.js',
  status: 'works',
  says: `${process.versions.node}, ${process.execPath}`,
})

/** The programs of networks for which nobody has to be root. */
export function networks(caller: Caller): Finding {
  const found = ['pasta', 'slirp4netns'].flatMap((name) => findProgram(name, caller) ?? [])
  if (found.length > 0) return { name: 'user-mode networks', status: 'works', says: found.join(', ') }
  const says = "neither pasta nor slirp4netns is there: containers have the host's network, or none"
  return { name: 'user-mode networks', status: 'missing', says, fix: install('passt') }
}

export function criu(caller: Caller): Finding {
  const path = findProgram('criu', caller)
  const purpose = 'for "checkpoint" and "restore"'
  if (path === undefined) {
    return { name: 'CRIU', status: 'missing', says: `not installed, ${purpose}`, fix: install('criu') }
  }
  if (caller.euid !== 0) return { name: 'CRIU', status: 'missing', says: `${path}, ${purpose}, needs root` }
  const { status, stdout, stderr } = spawnSync(path, ['check'], { encoding: 'utf8', timeout: 10_000 })
  if (status === 0) return { name: 'CRIU', status: 'works', says: path }
  const problem = `${stdout}${stderr}`.split('\n').find((line) => line.includes('Error')) ?? 'no reason is given'
  return { name: 'CRIU', status: 'missing', says: `${path} does not work with this kernel: ${problem.trim()}` }
}
