// Bundles the command line into dist/bin: loading modules one by one takes longer than most commands, and so does reading
// code that is not needed. cli.js has the runtime's commands, and what compiles a call for the front; images.js has the commands
// for images, undici.js the HTTP client, whole, which both images.js and fetch-thread.js load when they call a registry. All
// share errors.js, since an error is known by its class. seccomp.js compiles filters: much text, for containers that have one.
// index.mjs is the library, in pieces that are loaded when they are needed: it takes a program 10 ms and not 300, and little
// memory, which makes every spawn faster.
import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import * as esbuild from 'esbuild'
import { commitOf } from './commit.mjs'

const out = 'dist/bin.new'
/** The digest of the sources, for kept programs. */
const [buildID = 'none'] = process.argv.slice(2)
const errors = resolve('src/errors.ts')
const moduleUrl = "const moduleUrl = require('node:url').pathToFileURL(__filename).href;"
/** Facts of this build, for src/runtime/kept/build-id.ts and src/verbs/tool-version.ts. */
const facts = {
  bundleToolBuild: JSON.stringify(buildID),
  bundleToolBuiltOf: JSON.stringify({
    version: JSON.parse(readFileSync('package.json', 'utf8')).version,
    commit: commitOf(process.cwd()),
  }),
}
const common = {
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  // Names stay, for stack traces; less text is read faster.
  minifyWhitespace: true,
  legalComments: 'none', // dist/licenses.txt has them whole
  logLevel: 'warning',
  define: {
    'import.meta.url': 'moduleUrl',
    // Where the interpreter is installed is known when it runs, long after it has loaded its modules.
    'import.meta.dirname': 'module.path',
    ...facts,
  },
  supported: { 'dynamic-import': false },
}

/** Directories of the packages of which something is bundled. */
const packages = new Set()

async function build(options) {
  const { metafile } = await esbuild.build({ ...options, metafile: true })
  for (const input of Object.keys(metafile.inputs)) {
    const [directory] = /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? []
    if (directory !== undefined) packages.add(directory)
  }
}

/** The verbs that these files of the source of the command line load when they are called. */
const imageVerbs = [
  'copy',
  'delete-image',
  'digest',
  'diff',
  'export',
  'export-image',
  'images',
  'inspect',
  'list-referrers',
  'list-tags',
  'login',
  'logout',
  'prepare-try',
  'try-bundle',
  'prune',
  'pull',
  'push',
  'repack',
  'rmi',
  'tag',
  'unpack',
  'verify',
].map((name) => resolve('src/verbs/image', `${name}.ts`))

/** The modules that a file of dist/bin loads when it calls them, and the files that have them. */
const loadedLater = new Map([
  ...imageVerbs.map((file) => [file, 'images']),
  [resolve('src/compile/seccomp/filter.ts'), 'seccomp'],
  [resolve('src/runtime/systemd-manager.ts'), 'systemd-manager'],
])

const inOtherFiles = {
  name: 'in-other-files',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ path, resolveDir, kind }) => {
      const file = join(resolveDir, path)
      const name = file === errors ? 'errors' : kind === 'dynamic-import' ? loadedLater.get(file) : undefined
      return name === undefined ? undefined : { path: `./${name}.js`, external: true }
    })
    onResolve({ filter: /^undici$/ }, () => ({ path: './undici.js', external: true }))
  },
}

/** In a file of its own, which is short, since Node.js shows the line that an error comes from. */
const checkApart = {
  name: 'check-apart',
  setup({ onResolve }) {
    onResolve({ filter: /\/check-node\.ts$/ }, ({ kind }) =>
      kind === 'entry-point' ? undefined : { path: './check-node.mjs', external: true },
    )
  },
}

rmSync(out, { recursive: true, force: true })
await build({
  ...common,
  entryPoints: ['src/errors.ts'],
  outdir: out,
  entryNames: '[name]',
  define: {},
})
// An older Node.js than is needed must be able to read these to say so.
const boot = { ...common, target: 'node12', define: {} }
await build({ ...boot, entryPoints: ['src/cli/boot.ts'], outfile: `${out}/boot.js` })
await build({
  ...boot,
  minifyWhitespace: false,
  entryPoints: ['src/check-node.ts'],
  format: 'esm',
  outfile: `${out}/check-node.mjs`,
})
/** Bundles `input` as a function expression of what Node.js gives to a CommonJS module. */
const buildCode = (name, input, { plugins = [inOtherFiles], banner = moduleUrl } = {}) =>
  build({
    ...common,
    ...input,
    outfile: `${out}/${name}.js`,
    banner: { js: `(function (exports, require, module, __filename) { ${banner}` },
    footer: { js: '})' },
    plugins,
  })

/** The same in NAME.code.js, and NAME.js that loads it. */
async function buildModule(name, input, options) {
  await buildCode(`${name}.code`, input, options)
  const load = `module.exports = loadCached(__dirname, '${name}.code', require)`
  const stdin = { contents: `import { loadCached } from './cli/cached-script.ts'\n${load}`, resolveDir: 'src' }
  await build({ ...common, define: {}, stdin, outfile: `${out}/${name}.js` })
}

const allOf = (files) => files.map((file) => `export * from ${JSON.stringify(file)}`).join('\n')

await buildModule('undici', { entryPoints: ['undici'] }, { plugins: [] })
await buildModule('fetch-thread', { entryPoints: ['src/source/fetch-thread.ts'] })
await buildModule('images', { stdin: { contents: allOf(imageVerbs), resolveDir: 'src' } })
await buildModule('systemd-manager', { entryPoints: ['src/runtime/systemd-manager.ts'] }, { banner: '' })
await buildModule('seccomp', { entryPoints: ['src/compile/seccomp/filter.ts'] }, { banner: '' })
// The compiler first: in the interpreter, what a container waits for lies together.
const entries = ['compiler', 'process'].map((name) => resolve('src/cli', `${name}.ts`))
await buildCode('cli', { stdin: { contents: allOf(entries), resolveDir: 'src' } }, { banner: '' })
await build({
  ...common,
  define: facts,
  supported: {},
  // Node.js shows the whole line that an error nobody catches comes from.
  minifyWhitespace: false,
  entryPoints: ['src/index.ts'],
  format: 'esm',
  splitting: true,
  outdir: out,
  outExtension: { '.js': '.mjs' },
  plugins: [checkApart],
  // tar-stream and undici call it.
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
})
writeFileSync(`${out}/package.json`, '{ "type": "commonjs" }\n')
rmSync('dist/bin', { recursive: true, force: true })
renameSync(out, 'dist/bin')
const notice = readFileSync('native/interpreter/NOTICE', 'utf8')
writeFileSync('dist/licenses.txt', [...[...packages].sort().map(licenseOf), notice].join('\n'))
copyTypes('dist/index.d.ts')

/** A package's name and its license, which goes where its code goes. */
function licenseOf(directory) {
  const { name, version, license } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
  const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(entry))
  const text = file === undefined ? '' : `\n${readFileSync(join(directory, file), 'utf8').trim()}\n`
  return `${name} ${version}, ${license}\n${text}`
}

/** Copies the declarations of the library to dist/types: these alone of all that tsc writes are for others. */
function copyTypes(entry) {
  rmSync('dist/types', { recursive: true, force: true })
  const args = ['--ignoreConfig', '--noLib', '--types', '', '--listFilesOnly', entry]
  const listed = execFileSync('node_modules/.bin/tsc', args, { encoding: 'utf8' }).trim().split('\n')
  for (const file of listed.map((path) => relative('dist', path))) {
    if (file.startsWith('..'))
      throw new Error(`the library's declarations need ${file}, which the package does not have`)
    cpSync(join('dist', file), join('dist/types', file))
  }
}
