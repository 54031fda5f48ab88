import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { requires } from '../requirements.ts'
import { cloneProject } from './clone.ts'

const project = join(import.meta.dirname, '../..')
const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith('bundle-tool-demo-'))

function expectDemo({ status, stdout, stderr }: { status: number | null; stdout: string; stderr: string }): void {
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: expect.stringMatching(/^\w+: unpacked, \d+ entries\nnetwork: .*\n$/),
  })
  expect(stdout).toMatch(/^PID +USER +COMMAND\n +1 root +ps -ef\n/m)
  expect(stdout).toMatch(/^uid=0\(root\) gid=0\(root\)/m)
  expect(leftovers()).toEqual([])
}

test('npm start shows a container its own processes and user, and leaves nothing behind', () => {
  expectDemo(spawnSync('node', ['scripts/demo.mjs'], { cwd: project, encoding: 'utf8', timeout: 50_000 }))
})

/** A clone of the project in its directory; all of it is the user's. */
function cloneFor(user: number, directory: string): string {
  const clone = join(directory, 'clone')
  cloneProject(clone)
  execFileSync('chown', ['-R', `${user}:${user}`, directory])
  return clone
}

requires('root', 'git', 'setpriv').test('an ordinary user builds a fresh clone, and npm start works there', () => {
  const directory = mkdtempSync(join(tmpdir(), 'fresh-clone-'))
  try {
    chmodSync(directory, 0o755)
    const temporary = join(directory, 'tmp')
    mkdirSync(temporary)
    const user = 54_324
    const clone = cloneFor(user, directory)
    const npm = (...args: readonly string[]) =>
      spawnSync('setpriv', [`--reuid=${user}`, `--regid=${user}`, '--clear-groups', 'npm', '--silent', ...args], {
        cwd: clone,
        env: { PATH: process.env.PATH, HOME: directory, TMPDIR: temporary },
        encoding: 'utf8',
        timeout: 100_000,
      })
    const withoutCargo = /^(?:build: containers start more slowly, for want of an interpreter: [^\n]*\n)?$/
    const build = npm('run', 'build')
    expect(build).toMatchObject({ status: 0, stdout: '', stderr: expect.stringMatching(withoutCargo) })
    const caches = readdirSync(join(clone, 'dist/bin')).filter((name) => name.endsWith('.cache'))
    expect(caches.map((name) => name.replace(/(\.code)?\.cache$/, ''))).toEqual(
      expect.arrayContaining(['cli', 'images', 'undici', 'fetch-thread']),
    )
    expectDemo(npm('start'))
    expect(readdirSync(temporary)).toEqual([])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

requires('script').test('on a terminal it ends in a shell', () => {
  const { status, stdout } = spawnSync('script', ['-qec', 'node scripts/demo.mjs', '/dev/null'], {
    cwd: project,
    encoding: 'utf8',
    timeout: 50_000,
    input: 'echo $((6 * 7)) on $(tty)\nexit\n',
  })
  expect(status).toBe(0)
  expect(stdout).toMatch(/^42 on \/dev\/pts\/0\r$/m)
  expect(leftovers()).toEqual([])
})
