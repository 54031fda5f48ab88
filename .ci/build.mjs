// Builds what is missing or out of date: node_modules, dist/ (tsc), dist/bin (esbuild) and dist/bundle-tool-runner (the C compiler).
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
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

const filesBelow = (directory) =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

const newest = (paths) => Math.max(0, ...paths.map((path) => statSync(path).mtimeMs))
const madeAt = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0)
const stamp = (path) => writeFileSync(path, '')

/** What the front starts Node.js with to compile a program: code is cached for just these flags. */
function compilerFlags() {
  const [, list] = /^#define COMPILER_FLAGS (.+)$/m.exec(readFileSync('native/node.c', 'utf8'))
  return JSON.parse(`[${list}]`)
}

const lock = readFileSync('package-lock.json')
if (!existsSync('node_modules/.lock-copy') || !lock.equals(readFileSync('node_modules/.lock-copy'))) {
  run('npm', 'ci', '--no-audit', '--no-fund', '--loglevel=error')
  writeFileSync('node_modules/.lock-copy', lock)
}

mkdirSync('dist', { recursive: true })
if (
  newest([
    ...filesBelow('src'),
    '.ci/bundle.mjs',
    '.ci/code-cache.mjs',
    '.ci/code-cache-images.mjs',
    '.ci/script-cache.mjs',
    'native/node.c',
    'tsconfig.json',
    'package-lock.json',
  ]) > madeAt('dist/.typescript')
) {
  run('node_modules/.bin/tsc', '-p', 'tsconfig.json')
  run(process.execPath, '.ci/bundle.mjs')
  run(process.execPath, '.ci/code-cache.mjs', 'cli')
  run(process.execPath, ...compilerFlags(), '.ci/code-cache.mjs', 'seccomp')
  run(process.execPath, ...compilerFlags(), '.ci/code-cache.mjs', 'compiler')
  run(process.execPath, '.ci/code-cache-images.mjs')
  stamp('dist/.typescript')
}

if (
  !process.argv.includes('--no-native') &&
  existsSync('native/main.c') &&
  newest(filesBelow('native')) > madeAt('dist/bundle-tool-runner')
) {
  const compiler = process.env.CC ?? 'cc'
  run(
    compiler,
    ...readFileSync('native/flags', 'utf8').trim().split(/\s+/),
    '-o',
    'dist/bundle-tool-runner',
    ...readdirSync('native')
      .filter((name) => name.endsWith('.c'))
      .map((name) => join('native', name)),
  )
  // The same binary under the name that people call is the front of the tool.
  copyFileSync('dist/bundle-tool-runner', 'dist/bundle-tool.new')
  renameSync('dist/bundle-tool.new', 'dist/bundle-tool')
}
