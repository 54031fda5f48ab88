// Builds what is missing or out of date: node_modules, dist/ (tsc), dist/bin (esbuild) and dist/bundle-tool-runner (the C compiler).
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
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

/** dist/bin: the command line in a few files. Loading modules one by one takes most of a short command's time. */
function bundleCommandLine() {
  rmSync('dist/bin.new', { recursive: true, force: true })
  run(
    'node_modules/.bin/esbuild',
    'src/cli/process.ts',
    'src/source/fetch-thread.ts',
    '--entry-names=[name]',
    '--bundle',
    '--splitting',
    '--format=esm',
    '--platform=node',
    '--target=node20',
    '--outdir=dist/bin.new',
    '--log-level=warning',
    // For the dependencies that are CommonJS and require modules of Node.js.
    "--banner:js=import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  )
  rmSync('dist/bin', { recursive: true, force: true })
  renameSync('dist/bin.new', 'dist/bin')
}

const newest = (paths) => Math.max(0, ...paths.map((path) => statSync(path).mtimeMs))
const madeAt = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0)
const stamp = (path) => writeFileSync(path, '')

const lock = readFileSync('package-lock.json')
if (!existsSync('node_modules/.lock-copy') || !lock.equals(readFileSync('node_modules/.lock-copy'))) {
  run('npm', 'ci', '--no-audit', '--no-fund', '--loglevel=error')
  writeFileSync('node_modules/.lock-copy', lock)
}

mkdirSync('dist', { recursive: true })
if (newest([...filesBelow('src'), 'tsconfig.json', 'package-lock.json']) > madeAt('dist/.typescript')) {
  run('node_modules/.bin/tsc', '-p', 'tsconfig.json')
  bundleCommandLine()
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
}
