// Runs integration tests as an ordinary user, who has no name, no subordinate ids and no cgroup: containers are in user namespaces.
//
//   node scripts/test-as-user.mjs [FILE...]     default: those that a user passes whole
//
// ROOTLESS=1 has the tests that need root run nonetheless; what only root itself can do has that need (test/requirements.ts). Needs root,
// and setpriv.
import { spawnSync } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { userTests } from './user-tests.mjs'

const uid = 54_345
const files = process.argv.slice(2)
const chosen = files.length > 0 ? files : userTests

const place = mkdtempSync(join(tmpdir(), 'as-user-'))
try {
  for (const name of ['', 'home', 'tmp', 'run']) {
    if (name !== '') mkdirSync(join(place, name), { mode: 0o700 })
    chownSync(join(place, name), uid, uid)
  }
  const env = {
    PATH: process.env.PATH,
    HOME: join(place, 'home'),
    TMPDIR: join(place, 'tmp'),
    XDG_RUNTIME_DIR: join(place, 'run'),
    ROOTLESS: '1',
    ...(process.env.MUST_WORK && { MUST_WORK: process.env.MUST_WORK }),
  }
  // The checkout is not the user's to write to.
  const vitest = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--config',
    'test/vitest.config.ts',
    '--configLoader',
    'runner',
  ]
  const as = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--', process.execPath]
  const { status, error } = spawnSync('setpriv', [...as, ...vitest, ...chosen], { env, stdio: 'inherit' })
  if (error) throw error
  process.exitCode = status ?? 1
} finally {
  rmSync(place, { recursive: true, force: true })
}
