// Builds what is missing or out of date: node_modules, dist/ (tsc), dist/bin (esbuild) and dist/bundle-tool-runner (the C compiler).
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  if (error?.code === 'ENOENT') throw new Error(`${command} is not installed`)
  if (status !== 0) {
    console.error(`build: ${command} ${args.join(' ')} failed`)
    process.exit(1)
  }
}

/** Caches V8's code: commands start sooner with it, and do the same without it. */
function cacheCode(name, ...args) {
  const { status, stderr } = spawnSync(process.execPath, args, {
    stdio: ['ignore', 'inherit', 'pipe'],
    encoding: 'utf8',
  })
  if (status === 0) return process.stderr.write(stderr)
  if (process.env.MUST_WORK === '1') {
    console.error(`build: there is no code cache of ${name}\n${stderr}`)
    process.exit(1)
  }
  const [why = stderr.trim()] = stderr.match(/^\w*Error: .*$/m) ?? []
  console.warn(`build: ${name} starts more slowly, for want of a code cache: ${why}`)
}

const filesBelow = (directory) =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

/** Names the sources of a build: a program that another build has kept is not used. */
function digestOfSources() {
  const hash = createHash('sha256')
  const more = ['package.json', 'package-lock.json', 'tsconfig.json']
  for (const path of [...filesBelow('src'), ...filesBelow('native'), ...filesBelow('.ci'), ...more].sort()) {
    const content = readFileSync(path)
    hash.update(`${path}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex').slice(0, 32)
}

const isBuilt = (stamp, build) => existsSync(stamp) && readFileSync(stamp, 'utf8') === build

/** What the front starts Node.js with to compile a program: code is cached for just these flags. */
function compilerFlags() {
  const [, list] = /^#define COMPILER_FLAGS (.+)$/m.exec(readFileSync('native/node.c', 'utf8'))
  return JSON.parse(`[${list}]`)
}

if (!isInstalled()) run('npm', 'ci', '--no-audit', '--no-fund', '--loglevel=error')

/** Whether node_modules has what package-lock.json says, by the list that npm keeps there of what it has installed. */
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
  run(process.execPath, '.ci/bundle.mjs', build)
  cacheCode('the command line', '.ci/code-cache.mjs', 'cli')
  cacheCode('the compiler of seccomp', ...compilerFlags(), '.ci/code-cache.mjs', 'seccomp')
  cacheCode('the compiler', ...compilerFlags(), '.ci/code-cache.mjs', 'compiler')
  cacheCode('what handles images', '.ci/code-cache-images.mjs')
  writeFileSync('dist/.typescript', build)
}

if (!process.argv.includes('--no-native') && !isBuilt('dist/.native', build)) {
  const compiler = process.env.CC ?? 'cc'
  run(
    compiler,
    ...readFileSync('native/flags', 'utf8').trim().split(/\s+/),
    `-DBUILD_ID="${build}"`,
    '-o',
    'dist/bundle-tool-runner',
    ...readdirSync('native')
      .filter((name) => name.endsWith('.c'))
      .map((name) => join('native', name)),
  )
  // The same binary under the name that people call is the front of the tool.
  copyFileSync('dist/bundle-tool-runner', 'dist/bundle-tool.new')
  renameSync('dist/bundle-tool.new', 'dist/bundle-tool')
  writeFileSync('dist/.native', build)
}
