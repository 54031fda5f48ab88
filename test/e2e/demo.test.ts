import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { requires } from '../requirements.ts'

const project = join(import.meta.dirname, '../..')
const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith('bundle-tool-demo-'))

function expectDemo({ status, stdout, stderr }: { status: number | null; stdout: string; stderr: string }): void {
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(/^\w+: unpacked, \d+ entries\n$/) })
  expect(stdout).toMatch(/^PID +USER +COMMAND\n +1 root +ps -ef\n/m)
  expect(stdout).toMatch(/^uid=0\(root\) gid=0\(root\)/m)
  expect(leftovers()).toEqual([])
}

test('npm start shows a container its own processes and user, and leaves nothing behind', () => {
  expectDemo(spawnSync('node', ['.ci/demo.mjs'], { cwd: project, encoding: 'utf8', timeout: 50_000 }))
})

requires('root', 'runuser').test('it does so for an unprivileged user', ({ skip }) => {
  const canRead = spawnSync('runuser', ['-u', 'nobody', '--', 'test', '-r', join(project, 'package.json')]).status === 0
  skip(!canRead, `needs a checkout that the user nobody can read, and ${project} is none`)
  expectDemo(
    spawnSync('runuser', ['-u', 'nobody', '--', 'node', '.ci/demo.mjs'], {
      cwd: project,
      encoding: 'utf8',
      timeout: 50_000,
    }),
  )
})

requires('script').test('on a terminal it ends in a shell', () => {
  const { status, stdout } = spawnSync('script', ['-qec', 'node .ci/demo.mjs', '/dev/null'], {
    cwd: project,
    encoding: 'utf8',
    timeout: 50_000,
    input: 'echo $((6 * 7)) on $(tty)\nexit\n',
  })
  expect(status).toBe(0)
  expect(stdout).toMatch(/^42 on \/dev\/pts\/0\r$/m)
  expect(leftovers()).toEqual([])
})
