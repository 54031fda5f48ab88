import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { cgroupsNamed } from '../cgroup-directories.ts'
import { requires } from '../requirements.ts'
import { cloneProject } from './clone.ts'

const checkout = join(import.meta.dirname, '../..')
const image = join(checkout, 'fixtures/busybox.tar')
const { describe, test } = requires('root', 'git', 'npm', 'aarch64-linux-gnu-gcc')

const place = mkdtempSync(join(tmpdir(), 'package-'))
const id = place.split('/').at(-1) ?? ''
const root = join(place, 'root')
const project = join(place, 'project')
const installed = join(project, 'node_modules/bundle-tool')
const command = join(project, 'node_modules/.bin/bundle-tool')
/** All that PATH has: no compiler, above all. */
const bin = join(place, 'bin')

/** The oldest that is supported of each, and the newest; two that are too old. */
const majors = ['20', '22', '24', 'latest'] as const
const tooOld = ['16', '18'] as const

const findProgram = (name: string): string =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path)) ?? name

interface Finished {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program as somebody would whose Node.js is of this version, in the project that has installed the package. */
function runWith(version: string, name: string, ...args: readonly string[]): Finished {
  const { status, stdout, stderr, error } = spawnSync(name, args, {
    cwd: project,
    encoding: 'utf8',
    env: { PATH: `${nodeDirectory(version)}:${bin}`, HOME: place },
    timeout: 60_000,
  })
  if (error) throw error
  return { status, stdout, stderr }
}

/** Runs a command so that its processes in the background hold no output open. */
const quietly = ['sh', '-c', 'exec "$@" >/dev/null 2>&1 </dev/null', 'sh'] as const

const nodeDirectory = (version: string): string =>
  join(place, 'node', version, 'node_modules', `node-linux-${process.arch}`, 'bin')

function npm(cwd: string, ...args: readonly string[]): string {
  const env = {
    ...process.env,
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
  }
  return execFileSync('npm', args, { cwd, encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'inherit'] })
}

beforeAll(() => {
  const clone = join(place, 'clone')
  cloneProject(clone)
  npm(clone, 'pack', '--silent', '--pack-destination', place)
  rmSync(clone, { recursive: true })
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }')
  const [tarball = ''] = readdirSync(place).filter((name) => name.endsWith('.tgz'))
  npm(project, 'install', '--offline', '--ignore-scripts', '--silent', join(place, tarball))
  mkdirSync(bin)
  for (const name of ['sh', 'readlink', 'uname']) symlinkSync(realpathSync(findProgram(name)), join(bin, name))
  for (const version of [...majors, ...tooOld]) {
    const directory = join(place, 'node', version)
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, 'package.json'), '{ "private": true }')
    npm(
      directory,
      'install',
      '--silent',
      '--ignore-scripts',
      '--prefer-offline',
      `node-linux-${process.arch}@${version}`,
    )
  }
}, 300_000)
afterEach(() => {
  if (existsSync(command)) runWith('20', command, '--root', root, 'delete', '--force', id)
})
afterAll(() => rmSync(place, { recursive: true, force: true }))

describe('what npm pack makes of a fresh clone', () => {
  test('is one package without dependencies, with what it needs and no more', () => {
    expect(readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(['bundle-tool'])
    const all = readdirSync(installed, { recursive: true, encoding: 'utf8' })
    expect(readdirSync(installed).sort()).toEqual(
      ['CHANGELOG.md', 'LICENSE', 'README.md', 'bin', 'dist', 'docs', 'package.json'].sort(),
    )
    expect(readdirSync(join(installed, 'dist')).sort()).toEqual([
      'arm64',
      'bin',
      'licenses.txt',
      'share',
      'types',
      'x64',
    ])
    expect(all).toContain('docs/images.md')
    expect(all).toContain('dist/share/fish/vendor_completions.d/bundle-tool.fish')
    for (const architecture of ['x64', 'arm64']) {
      const machine = readFileSync(join(installed, 'dist', architecture, 'bundle-tool')).readUInt16LE(18)
      expect(machine).toBe(architecture === 'x64' ? 62 : 183) // EM_X86_64, EM_AARCH64 of elf.h
    }
  })

  test('has the manual pages that it says, for each command', () => {
    const { man } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
    const pages = readdirSync(join(installed, 'dist/share/man/man1'))
    expect(man.sort()).toEqual(pages.map((page) => `./dist/share/man/man1/${page}`).sort())
    const page = runWith('20', command, 'man', 'run').stdout
    expect(readFileSync(join(installed, 'dist/share/man/man1/bundle-tool-run.1'), 'utf8')).toBe(page)
  })

  test('installs its command and its manual pages for all', () => {
    const prefix = join(place, 'prefix')
    const [tarball = ''] = readdirSync(place).filter((name) => name.endsWith('.tgz'))
    npm(place, 'install', '--global', '--prefix', prefix, '--offline', '--ignore-scripts', '--silent', tarball)
    expect(existsSync(join(prefix, 'share/man/man1/bundle-tool-pull.1'))).toBe(true)
    const { status, stdout } = runWith('20', join(prefix, 'bin/bundle-tool'), '--version')
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/^bundle-tool version \d/) })
  })
})

function edit(bundle: string, args: readonly string[]): void {
  const path = join(project, bundle, 'config.json')
  const config = JSON.parse(readFileSync(path, 'utf8'))
  Object.assign(config.process, { terminal: false, args })
  writeFileSync(path, JSON.stringify(config))
}

const done = (stdout: string, status = 0): Finished => ({ status, stdout, stderr: '' })

describe.each(majors)('with Node.js %s', (version) => {
  test('the command line unpacks and runs an image', () => {
    const bundle = `command-${version}`
    const tool = (...args: readonly string[]) => runWith(version, command, '--root', root, ...args)
    expect(tool('unpack', image, '--out', bundle).status).toBe(0)
    edit(bundle, ['sh', '-c', 'echo hello; exit 3'])
    const kept = () => readdirSync(root).filter((name) => name.startsWith('.program-')).length
    expect(tool('run', '-b', bundle, id)).toEqual(done('hello\n', 3))
    const before = kept()
    expect(tool('run', '-b', bundle, id)).toEqual(done('hello\n', 3))
    expect([before > 0, kept()]).toEqual([true, before])
    edit(bundle, ['sleep', '100'])
    expect(runWith(version, ...quietly, command, '--root', root, 'run', '--detach', '-b', bundle, id)).toEqual(done(''))
    expect(tool('exec', id, 'echo', 'one more')).toEqual(done('one more\n'))
    expect(tool('stop', '-t', '0', id)).toEqual(done(''))
    expect(tool('delete', id)).toEqual(done(''))
    expect(cgroupsNamed(id)).toEqual([])
  })

  test('a program uses the library', () => {
    const file = join(project, `use-${version}.mjs`)
    cpSync(join(import.meta.dirname, 'package-use.mjs'), file)
    const { status, stdout, stderr } = runWith(version, 'node', file, image, root, id)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout.trim().split('\n')).toEqual([
      'run: 3 "hello\\n"',
      'run: 3 "hello\\n"',
      'exec: 4 "one more\\n"',
      'abort: no longer wanted',
      'stop: true, stopped',
    ])
    expect(cgroupsNamed(id)).toEqual([])
  })
})

describe.each(tooOld)('with Node.js %s, which is too old', (version) => {
  const sentence = (version: string) =>
    new RegExp(
      `^bundle-tool needs Node\\.js 20\\.19 or newer, and this is ${version}\\.[\\d.]+: install a newer one from \\S+\\n$`,
    )

  test('the command line says so in one line', () => {
    for (const args of [['images'], ['pull', 'x'], ['inspect', 'x']]) {
      const { status, stdout, stderr } = runWith(version, command, ...args)
      expect({ status, stdout, stderr }).toEqual({
        status: 1,
        stdout: '',
        stderr: expect.stringMatching(sentence(version)),
      })
    }
  })

  test('the library says so in its error, and so does the build', () => {
    const program = "import('bundle-tool').catch((error) => console.log(error.message))"
    const { stdout } = runWith(version, 'node', '--input-type=module', '-e', program)
    expect(stdout).toMatch(sentence(version))
    const build = runWith(version, 'node', join(checkout, 'scripts/build.mjs'))
    expect(build).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(/^build: Node\.js .*install.*\n$/),
    })
  })
})

test('without a C compiler the build names what to install, before anything else', () => {
  const build = runWith('20', 'node', join(checkout, 'scripts/build.mjs'))
  expect(build).toEqual({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(
      /^build: a C compiler is needed, and there is no cc: install gcc and libc6-dev .*\n$/,
    ),
  })
})

test('on another architecture one sentence says what there is', () => {
  const arch = '/proc/sys/kernel/arch'
  const file = join(place, 'arch')
  writeFileSync(file, 'riscv64\n')
  const script = existsSync(arch) ? `mount --bind ${file} ${arch} && exec "$@"` : 'exec setarch riscv64 "$@"'
  const { status, stdout, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', script, 'sh', command, '--version'], {
    encoding: 'utf8',
  })
  expect({ status, stdout, stderr }).toEqual({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/^bundle-tool: there is no binary for riscv64 here: .*\n$/),
  })
})

requires('qemu-aarch64-static').test('the binary for arm64 starts Node.js, and knows a container of this host', () => {
  const bundle = 'arm64'
  expect(runWith('20', command, 'unpack', image, '--out', bundle).status).toBe(0)
  edit(bundle, ['sleep', '100'])
  expect(runWith('20', ...quietly, command, '--root', root, 'run', '--detach', '-b', bundle, id)).toEqual(done(''))
  const qemu = findProgram('qemu-aarch64-static')
  const arm = (...args: readonly string[]) =>
    runWith('20', qemu, '-0', 'bundle-tool', join(installed, 'dist/arm64/bundle-tool'), '--root', root, ...args)
  expect(arm('--version').stdout).toMatch(/^bundle-tool version/)
  expect(JSON.parse(arm('state', id).stdout)).toMatchObject({ id, status: 'running' })
  expect(arm('kill', id, 'KILL')).toEqual(done(''))
  expect(runWith('20', command, '--root', root, 'stop', id)).toEqual(done(''))
  expect(arm('delete', id)).toEqual(done(''))
  expect(cgroupsNamed(id)).toEqual([])
})

test('the example of the README needs nothing that the package does not bring', () => {
  const [, example = ''] = /^```js\n(.*?)^```$/ms.exec(readFileSync(join(installed, 'README.md'), 'utf8')) ?? []
  writeFileSync(join(project, 'readme.mjs'), example)
  expect(runWith('20', command, 'unpack', image, '--out', 'bundle').status).toBe(0)
  edit('bundle', ['echo', 'done'])
  // It keeps containers where root's are.
  const node = join(nodeDirectory('20'), 'node')
  const script = 'mount -t tmpfs none /run && exec "$0" readme.mjs'
  const { status, stdout, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', script, node], {
    cwd: project,
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout.match(/status: 0, output: 'done\\n'/g)?.length).toBeGreaterThanOrEqual(100) // console.log shows no more
})

test('its types check under strict, and refuse what does not exist', () => {
  const directory = join(place, 'types')
  mkdirSync(join(directory, 'node_modules/@types'), { recursive: true })
  symlinkSync(installed, join(directory, 'node_modules/bundle-tool'))
  for (const name of ['@types/node', 'undici-types']) {
    symlinkSync(join(checkout, 'node_modules', name), join(directory, 'node_modules', name))
  }
  writeFileSync(join(directory, 'package.json'), '{ "private": true, "type": "module" }')
  cpSync(join(import.meta.dirname, 'package-use.mts'), join(directory, 'use.mts'))
  const options = ['--strict', '--skipLibCheck', 'false', '--noEmit', '--target', 'es2022', '--types', 'node']
  for (const module of [['nodenext'], ['preserve', '--moduleResolution', 'bundler']]) {
    const { status, stdout } = spawnSync(
      join(checkout, 'node_modules/.bin/tsc'),
      [...options, '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--module', ...module, 'use.mts'],
      { cwd: directory, encoding: 'utf8' },
    )
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
  }
})
