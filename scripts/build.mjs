// Builds what is missing or out of date: node_modules, dist/ (tsc), dist/bin (esbuild), dist/bundle-tool-runner (the
// C compiler) and, where cargo is, dist/bundle-tool-interpreter.
//
//   --no-native  nothing that needs a C compiler or cargo
//   --package    for `npm pack`, too: the binaries of other architectures whose compiler is there, manual pages, completions
//   --all        with --package: an architecture without its compiler is an error
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { commitOf } from './commit.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)
const compiler = process.env.CC ?? 'cc'
const wants = (option) => process.argv.includes(`--${option}`)

/** The compiler of Debian for each architecture, and its packages. */
const crossCompilers = {
  x64: ['x86_64-linux-gnu-gcc', 'gcc-x86-64-linux-gnu libc6-dev-amd64-cross'],
  arm64: ['aarch64-linux-gnu-gcc', 'gcc-aarch64-linux-gnu libc6-dev-arm64-cross'],
}
/** The rooms of native/ that each binary is linked from, and files of them that are another binary's. */
const binaries = {
  'bundle-tool-runner': { rooms: ['system', 'runner'], without: [] },
  'bundle-tool': { rooms: ['system', 'runner', 'front'], without: ['native/runner/main.c'] },
}

checkTools()

/** Says what to install before anything else is done. */
function checkTools() {
  const oldest = JSON.parse(readFileSync('package.json', 'utf8')).engines.node.replace('>=', '')
  const [[major, minor], [wantedMajor, wantedMinor]] = [process.versions.node, oldest].map((text) =>
    text.split('.').map(Number),
  )
  if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor)) {
    stop(
      `Node.js ${oldest} or newer is needed, and this is ${process.versions.node}: install a newer one from https://nodejs.org`,
    )
  }
  if (!wants('no-native') && !isThere(compiler)) {
    stop(
      `a C compiler is needed, and there is no ${compiler}: install gcc and libc6-dev (Debian), or gcc and musl-dev (Alpine)`,
    )
  }
}

function stop(sentence) {
  console.error(`build: ${sentence}`)
  process.exit(1)
}

function isThere(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error?.code !== 'ENOENT'
}

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  if (error?.code === 'ENOENT') throw new Error(`${command} is not installed`)
  if (status !== 0) {
    console.error(`build: ${command} ${args.join(' ')} failed`)
    process.exit(1)
  }
}

/** Caches V8's code: commands start sooner with it, and do the same without it. */
function cacheCode() {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/code-cache.mjs'], {
    stdio: ['ignore', 'inherit', 'pipe'],
    encoding: 'utf8',
  })
  if (status === 0) return process.stderr.write(stderr)
  if (process.env.MUST_WORK === '1') stop(`there is no code cache\n${stderr}`)
  const [why = stderr.trim()] = stderr.match(/^\w*Error: .*$/m) ?? []
  console.warn(`build: commands start more slowly, for want of a code cache: ${why}`)
}

const filesBelow = (directory) =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

/** Names the sources of a build: a program that another build has kept is not used. */
function digestOfSources() {
  const hash = createHash('sha256')
  const more = ['package.json', 'package-lock.json', 'tsconfig.json']
  for (const path of [...filesBelow('src'), ...filesBelow('native'), ...filesBelow('scripts'), ...more].sort()) {
    const content = readFileSync(path)
    hash.update(`${path}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex').slice(0, 32)
}

const isBuilt = (stamp, build) => existsSync(stamp) && readFileSync(stamp, 'utf8') === build

if (!isInstalled()) run('npm', 'ci', '--no-audit', '--no-fund', '--loglevel=error')

/** True when node_modules has the packages of package-lock.json, by the list that npm keeps there of its own work. */
function isInstalled() {
  const list = 'node_modules/.package-lock.json'
  if (!existsSync(list)) return false
  const packagesOf = (path) => JSON.parse(readFileSync(path, 'utf8')).packages
  const [wanted, installed] = [packagesOf('package-lock.json'), packagesOf(list)]
  const isSame = ([path, { integrity, optional }]) =>
    path === '' || (installed[path] === undefined ? optional === true : installed[path].integrity === integrity)
  return Object.entries(wanted).every(isSame)
}

mkdirSync('dist', { recursive: true })
const build = digestOfSources()
if (!isBuilt('dist/.typescript', build)) {
  run('node_modules/.bin/tsc', '-p', 'tsconfig.json')
  run(process.execPath, 'scripts/bundle.mjs', build)
  writeFileSync('dist/.typescript', build)
}

writeFileSync('dist/bin/commit', `${commitOf(root)}\n`)

if (!wants('no-native') && !isBuilt('dist/.native', build)) {
  compileNative(compiler, 'dist')
  writeFileSync('dist/node', `${process.execPath}\n`)
  writeFileSync('dist/.native', build)
}
// The commands that are run for it need the runner.
if (!wants('no-native') && !existsSync('dist/bin/cli.cache')) cacheCode()
if (!wants('no-native') && !isBuilt('dist/.interpreter/build', build))
  run(process.execPath, 'scripts/interpreter.mjs', build)
if (wants('package') && !isBuilt('dist/.package', build)) makePackage()

/** Files that `npm pack` takes beside the rest. */
function makePackage() {
  run(process.execPath, 'scripts/share.mjs')
  let isWhole = true
  for (const [architecture, [crossCompiler, packages]] of Object.entries(crossCompilers)) {
    const used = architecture === process.arch ? compiler : crossCompiler
    const directory = join('dist', architecture)
    rmSync(directory, { recursive: true, force: true })
    if (isThere(used)) {
      mkdirSync(directory)
      compileNative(used, directory)
      addInterpreter(architecture, directory)
      continue
    }
    const sentence = `the binaries for ${architecture} need ${used}: install ${packages}`
    if (wants('all')) stop(sentence)
    console.warn(`build: the package is not for ${architecture}: ${sentence}`)
    isWhole = false
  }
  if (isWhole) writeFileSync('dist/.package', build)
}

/** The interpreter is built where it is to run: Rust's library for another architecture may not be there. */
function addInterpreter(architecture, directory) {
  const name = 'bundle-tool-interpreter'
  const built = join('dist', name)
  if (architecture === process.arch && existsSync(built)) return copyFileSync(built, join(directory, name))
  const sentence = `for ${architecture} the package has no interpreter: run "npm pack" on such a machine that has cargo`
  console.warn(`build: ${sentence}; containers start more slowly there`)
}

/** Compiles the binaries into a directory; each appears there whole, also while another process executes the old one. */
function compileNative(command, directory) {
  const flags = readFileSync('native/flags', 'utf8').trim().split(/\s+/)
  for (const [name, { rooms, without }] of Object.entries(binaries)) {
    const sources = rooms.flatMap((room) => filesBelow(join('native', room)))
    const used = sources.filter((path) => path.endsWith('.c') && !without.includes(path))
    const binary = join(directory, name)
    run(command, ...flags, `-DBUILD_ID="${build}"`, '-o', `${binary}.new`, ...used)
    renameSync(`${binary}.new`, binary)
  }
}
