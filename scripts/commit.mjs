// Finds out which commit a build is of.
import { spawnSync } from 'node:child_process'
import { realpathSync } from 'node:fs'

/**
 * The commit that is checked out in a directory, as `git describe` names it, with "-dirty" behind it when files differ;
 * "unknown" for files that come without their repository, also where they lie in another one.
 */
export function commitOf(directory) {
  if (git(directory, 'rev-parse', '--show-toplevel') !== realpathSync(directory)) return 'unknown'
  return git(directory, 'describe', '--always', '--long', '--dirty', '--abbrev=9') || 'unknown'
}

function git(directory, ...words) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')))
  const { status, stdout } = spawnSync('git', words, { cwd: directory, env, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : ''
}
