import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { requires } from '../requirements.ts'
import { forms, ImageCommands } from './image-command.ts'

const { test } = requires('git')
const project = join(import.meta.dirname, '../..')

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'version-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function git(...words: readonly string[]): string {
  const who = ['-c', 'user.name=x', '-c', 'user.email=x@x.example']
  return execFileSync('git', [...who, ...words], { cwd: directory, encoding: 'utf8' }).trim()
}

/** The version that a build in this directory would print. */
function commitOf(place: string): string {
  const script = `import { commitOf } from '${project}/scripts/commit.mjs'; console.log(commitOf(process.argv[1]))`
  const words = ['--input-type=module', '-e', script, place]
  return execFileSync(process.execPath, words, { cwd: '/', encoding: 'utf8' }).trim()
}

test.each(Object.entries(forms))('%s says the commit that the build has written down', async (_, form) => {
  using commands = new ImageCommands()
  const built = readFileSync(join(project, 'dist/bin/commit'), 'utf8').trim()
  const { stdout } = await commands.run(form, ['--version'])
  expect(stdout.split('\n')[1]).toBe(`commit: ${built}`)
  expect(built).toMatch(/^(?:unknown|(?:.*-\d+-g)?[0-9a-f]{9}(?:-dirty)?)$/)
})

test('a build of a repository is of its commit, and says when files differ', () => {
  git('init', '-q')
  writeFileSync(join(directory, 'file'), 'one')
  expect(commitOf(directory)).toBe('unknown')
  git('add', '.')
  git('commit', '-q', '-m', 'one')
  const commit = git('rev-parse', '--short=9', 'HEAD')
  expect(commitOf(directory)).toBe(commit)
  writeFileSync(join(directory, 'file'), 'two')
  expect(commitOf(directory)).toBe(`${commit}-dirty`)
  git('commit', '-q', '-a', '-m', 'two')
  git('tag', '-a', '-m', 'x', 'v1.2.3')
  expect(commitOf(directory)).toBe(`v1.2.3-0-g${git('rev-parse', '--short=9', 'HEAD')}`)
})

test('a build of files without their repository is of no commit, in another repository neither', () => {
  expect(commitOf(directory)).toBe('unknown')
  git('init', '-q')
  git('commit', '-q', '--allow-empty', '-m', 'another project')
  mkdirSync(join(directory, 'unpacked'))
  expect(commitOf(join(directory, 'unpacked'))).toBe('unknown')
})
