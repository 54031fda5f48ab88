import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'unshare')
const project = join(import.meta.dirname, '../..')

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'find-node-'))
})
afterEach(() => rmSync(directory, { recursive: true }))
const at = (name: string): string => join(directory, name)

/** Copies the front, with the scripts that it starts, to a place of its own. */
function installFront(path: string): string {
  const scripts = join(dirname(at(path)).replace(/\/x64$/, ''), 'bin')
  mkdirSync(dirname(at(path)), { recursive: true })
  mkdirSync(scripts)
  writeFileSync(join(scripts, 'boot.js'), '')
  copyFileSync(join(project, 'dist/bundle-tool'), at(path))
  return at(path)
}

/** Makes a "node" that says which it is. */
function makeNode(path: string): string {
  mkdirSync(dirname(at(path)), { recursive: true })
  writeFileSync(at(path), '#!/bin/sh\necho "this is $0"\n', { mode: 0o755 })
  return at(path)
}

/** Calls a front with a PATH that has no node, where /usr/bin and /usr/local/bin have none either. */
function call(front: string, path = '/nonexistent') {
  const hide = 'for node in /usr/bin/node /usr/local/bin/node; do [ ! -e $node ] || mount --bind /dev/null $node; done'
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['-m', 'sh', '-c', `${hide}; PATH="$2" exec "$1" list`, 'sh', front, path],
    {
      encoding: 'utf8',
    },
  )
  return { status, stdout, stderr }
}

const used = (node: string) => ({ status: 0, stdout: `this is ${node}\n`, stderr: '' })
const advice =
  'install Node.js 20.19 or newer in /usr/local/bin or /usr/bin, or add its directory to PATH (under sudo: sudo env "PATH=$PATH" bundle-tool ...)'

test('without any node, the error says what to do', () => {
  expect(call(installFront('dist/bundle-tool'))).toEqual({
    status: 1,
    stdout: '',
    stderr: `bundle-tool: node is not in PATH: ${advice}\n`,
  })
})

test('PATH comes first, then the node of the build, then that of npm', () => {
  const front = installFront('prefix/lib/node_modules/bundle-tool/dist/x64/bundle-tool')
  const ofNpm = makeNode('prefix/bin/node')
  expect(call(front)).toEqual(used(ofNpm))
  const ofBuild = makeNode('built/node')
  writeFileSync(join(dirname(front), 'node'), `${ofBuild}\n`)
  expect(call(front)).toEqual(used(ofBuild))
  const inPath = makeNode('path/node')
  expect(call(front, dirname(inPath))).toEqual(used(inPath))
})

test('no node is executed that others could change, or have put there', () => {
  const front = installFront('dist/bundle-tool')
  const node = makeNode('a/b/node')
  writeFileSync(at('dist/node'), node)
  const refused = {
    status: 1,
    stdout: '',
    stderr: `bundle-tool: node is not in PATH, and others than you and root can change ${node}: ${advice}\n`,
  }
  for (const path of [node, at('a/b'), at('a')]) {
    for (const mode of [0o775, 0o757]) {
      chmodSync(path, mode)
      expect(call(front)).toEqual(refused)
      chmodSync(path, 0o755)
    }
    chownSync(path, 1000, 0)
    expect(call(front)).toEqual(refused)
    chownSync(path, 0, 0)
  }
  expect(call(front)).toEqual(used(node))
  symlinkSync(node, at('link'))
  writeFileSync(at('dist/node'), at('link'))
  expect(call(front)).toEqual(used(node))
  chownSync(node, 1000, 0)
  expect(call(front).status).toBe(1)
  for (const text of ['', 'a/b/node', 'x'.repeat(5000), '/']) {
    writeFileSync(at('dist/node'), text)
    expect(call(front)).toMatchObject({ status: 1, stdout: '' })
  }
})

test.each([['list'], ['run', 'demo'], ['exec', 'demo', 'true']])(
  'a copy of the binary alone says so of %s',
  (...args) => {
    const copy = at('bundle-tool')
    copyFileSync(join(project, 'dist/bundle-tool'), copy)
    const { status, stdout, stderr } = spawnSync(copy, ['--root', at('root'), ...args], { encoding: 'utf8' })
    const advice = 'call the installed file, or make a link to it, instead of a copy'
    expect({ status, stdout, stderr }).toEqual({
      status: args[0] === 'exec' ? 255 : 1,
      stdout: '',
      stderr: `bundle-tool: ${copy} is alone: the directory bin of its installation is not beside it; ${advice}\n`,
    })
  },
)
