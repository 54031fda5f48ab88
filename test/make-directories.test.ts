import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeDirectories } from '../src/make-directories.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'make-directories-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

test('a directory is made with its parents, and left alone where it is there', () => {
  const path = join(directory, 'a/b/c')
  expect(makeDirectories(path, 0o700)).toBe(true)
  expect(statSync(join(directory, 'a')).mode & 0o777).toBe(0o700)
  expect(makeDirectories(path, 0o755)).toBe(false)
  expect(statSync(path).mode & 0o777).toBe(0o700)
  symlinkSync('a/b', join(directory, 'link'))
  expect(makeDirectories(join(directory, 'link'))).toBe(false)
  expect(makeDirectories('/')).toBe(false)
})

test('where none can be made the error is told', () => {
  writeFileSync(join(directory, 'file'), '')
  symlinkSync('nowhere', join(directory, 'dangling'))
  expect(() => makeDirectories('/proc/none/below')).toThrow('ENOENT')
  expect(() => makeDirectories(join(directory, 'file'))).toThrow('EEXIST')
  expect(() => makeDirectories(join(directory, 'file/below'))).toThrow('ENOTDIR')
  expect(() => makeDirectories(join(directory, 'dangling'))).toThrow('EEXIST')
  expect(() => makeDirectories(join(directory, 'dangling/below'))).toThrow('EEXIST')
})

test.each([
  ['checkpoint', '--image-path', '/proc/none/images', 'none'],
  ['copy', 'oci:LAYOUT:x', 'oci:/proc/none/layout:x'],
  ['unpack', 'oci:LAYOUT:x', '--out', '/proc/none/below/bundle'],
  ['images', '--store', '/proc/none/store'],
  ['logout', '--authfile', '/proc/none/auth.json'],
  ['spec', '-b', '/proc/none/bundle'],
  ['--root', '/proc/none/root', 'run', '-b', 'BUNDLE', 'none'],
])('%s ... ends when a directory in /proc is to be made', async (...args) => {
  const tool = join(import.meta.dirname, '../bin/bundle-tool.js')
  mkdirSync(join(directory, 'layout'))
  const words = args.map((word) => word.replace('LAYOUT', join(directory, 'layout')).replace('BUNDLE', directory))
  const child = spawn(process.execPath, [tool, ...words], { stdio: 'ignore', timeout: 20_000, killSignal: 'SIGKILL' })
  const [code] = await once(child, 'exit')
  expect(code).not.toBeNull()
})

test('no other place of the source makes directories recursively', () => {
  const src = join(import.meta.dirname, '../src')
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const found = files.filter((file) => /mkdir(Sync)?\([^)]*recursive/.test(readFileSync(join(src, file), 'utf8')))
  expect(found).toEqual([])
})
