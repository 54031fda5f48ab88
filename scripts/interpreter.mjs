// Builds dist/bundle-tool-interpreter: native/interpreter with the code of dist/bin in it, as bytecode. Where cargo is missing
// or cannot build it, one line says so: then the front starts Node.js instead.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import * as esbuild from 'esbuild'

/** The digest of the sources. */
const [build] = process.argv.slice(2)
const crate = 'native/interpreter'
const binary = 'bundle-tool-interpreter'
/** The bundles and their bytecode. */
const directory = resolve('dist/.interpreter')
/** The results of cargo, most of which are the engine's and stay. */
const target = resolve('dist/.cargo')

/** The modules in the interpreter, and which files of src/ or dist/bin they are. */
const own = { main: 'src/interpreter/main.ts', modules: 'src/interpreter/modules.ts' }
const files = {
  errors: 'errors.js',
  seccomp: 'seccomp.code.js',
  cli: 'cli.js',
  'systemd-manager': 'systemd-manager.code.js',
}

rmSync(join('dist', binary), { force: true }) // which has the code of other sources
rmSync(join(directory, 'build'), { force: true })
const missing = missingTool() ?? missingCrates()
const problem = missing ?? (await makeInterpreter())
if (problem === undefined) writeFileSync(join(directory, 'build'), build)
else if (missing === undefined && process.env.MUST_WORK === '1') {
  console.error(`build: ${problem}`)
  process.exitCode = 1
} else {
  warnOnce(problem.split('\n', 1)[0])
}

/** Each build tries anew, since cargo may be there by then, and says the same once. */
function warnOnce(why) {
  const said = join(directory, 'said')
  if (existsSync(said) && readFileSync(said, 'utf8') === why) return
  console.warn(`build: containers start more slowly, for want of an interpreter: ${why}`)
  mkdirSync(directory, { recursive: true })
  writeFileSync(said, why)
}

/** Why nothing can be built, or undefined. */
function missingTool() {
  const [, wanted] = /^rust-version = "(.+)"$/m.exec(readFileSync(join(crate, 'Cargo.toml'), 'utf8'))
  const { status, stdout, stderr, error } = spawnSync('cargo', ['--version'], { encoding: 'utf8', cwd: crate })
  if (status !== 0) {
    const why = error === undefined ? `cargo does not work (${stderr.trim()})` : `there is no cargo (${error.code})`
    return `${why.replaceAll('\n', ' ')}: install Rust ${wanted} or newer`
  }
  const numbers = (text) => text.split('.').map(Number)
  const [[wantedMajor, wantedMinor], [major, minor]] = [numbers(wanted), numbers(/\d+\.\d+/.exec(stdout)?.[0] ?? '0.0')]
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return undefined
  return `Rust ${wanted} or newer is needed, and cargo is of ${major}.${minor}`
}

/** Why the engine cannot be had, as without a network; or undefined. */
function missingCrates() {
  return problemOf('cargo', ['fetch', '--locked', '--quiet'], { cwd: crate })
}

/** @returns why it could not be built: one line, and what the tool said; else undefined */
async function makeInterpreter() {
  mkdirSync(directory, { recursive: true })
  await writeModules()
  const modules = Object.keys({ ...own, ...files }).map((name) => `${name}=${sourceOf(name)}`)
  return (
    cargo('bytecode') ??
    problemOf(join(target, 'release/bytecode'), ['write', directory, ...modules]) ??
    cargo(binary) ??
    loadModules()
  )
}

function sourceOf(name) {
  return join(directory, `${name}.js`)
}

/** Each of them exports one function. */
async function writeModules() {
  await esbuild.build({
    entryPoints: own,
    outdir: directory,
    bundle: true,
    format: 'esm',
    target: 'es2023',
    define: { interpreterArch: JSON.stringify(process.arch) },
    logLevel: 'warning',
  })
  for (const [name, file] of Object.entries(files)) {
    const text = readFileSync(join('dist/bin', file), 'utf8').trim()
    const isFunction = text.startsWith('(function (')
    const code = isFunction ? text : `(function (exports, require, module, __filename) { ${text}\n})`
    writeFileSync(sourceOf(name), `export default ${code}\n`)
  }
}

function cargo(name) {
  const args = ['build', '--release', '--locked', '--quiet', '--target-dir', target, '--bin', name]
  return problemOf('cargo', args, { cwd: crate, env: { ...process.env } })
}

function problemOf(command, args, options = {}) {
  const { status, stderr } = spawnSync(command, args, {
    ...options,
    stdio: ['ignore', 'inherit', 'pipe'],
    encoding: 'utf8',
  })
  if (status === 0) return undefined
  const [why = ''] = /^error.*$/m.exec(stderr ?? '') ?? []
  return `${command} failed: ${why}\n${stderr}`
}

/** Makes the binary with the modules in it, of that without. */
function loadModules() {
  const [built, image] = [resolve('dist', binary), join(directory, 'image')]
  const [bare, workbench] = [binary, 'bytecode'].map((name) => join(target, 'release', name))
  const modules = Object.keys({ ...own, ...files }).map((name) => `${name}=${join(directory, name)}`)
  const problem = problemOf(bare, [image, ...modules]) ?? problemOf(workbench, ['pack', bare, image, `${built}.new`])
  rmSync(image, { force: true })
  if (problem === undefined) renameSync(`${built}.new`, built)
  return problem
}
