// Bundles the command line into dist/bin: loading modules one by one takes longer than most commands, and so does reading
// code that is not needed. cli.js has the runtime's commands; those for images are in images.js, and both share errors.js,
// since an error is known by its class. The HTTP client stays in node_modules: only fetch-thread.js, which has it, and
// commands that call registries from the main thread need it.
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'

const out = 'dist/bin.new'
const errors = resolve('src/errors.ts')
const moduleUrl = "const moduleUrl = require('node:url').pathToFileURL(__filename).href;"
const common = {
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
  define: { 'import.meta.url': 'moduleUrl' },
  supported: { 'dynamic-import': false },
}

/** The verbs that these files of the source of the command line load when they are called. */
const imageVerbs = [
  'copy',
  'export',
  'images',
  'inspect',
  'list-tags',
  'login',
  'logout',
  'prune',
  'pull',
  'push',
  'repack',
  'rmi',
  'unpack',
  'verify',
].map((name) => resolve('src', `${name}.ts`))

const inOtherFiles = {
  name: 'in-other-files',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ path, resolveDir, kind }) => {
      const file = join(resolveDir, path)
      if (file === errors) return { path: './errors.js', external: true }
      if (kind === 'dynamic-import' && imageVerbs.includes(file)) return { path: './images.js', external: true }
      return undefined
    })
  },
}

rmSync(out, { recursive: true, force: true })
await build({
  ...common,
  entryPoints: ['src/errors.ts', 'src/cli/boot.ts'],
  outdir: out,
  entryNames: '[name]',
  define: {},
})
await build({
  ...common,
  entryPoints: ['src/source/fetch-thread.ts', 'src/layer/writer-thread.ts'],
  outdir: out,
  entryNames: '[name]',
  banner: { js: moduleUrl },
})
await build({
  ...common,
  stdin: { contents: imageVerbs.map((file) => `export * from ${JSON.stringify(file)}`).join('\n'), resolveDir: 'src' },
  outfile: `${out}/images.js`,
  banner: { js: moduleUrl },
  external: ['undici'],
  plugins: [inOtherFiles],
})
await build({
  ...common,
  entryPoints: ['src/cli/process.ts'],
  outfile: `${out}/cli.js`,
  // A function expression, which boot.ts calls with what Node.js gives to a CommonJS module.
  banner: { js: `(function (exports, require, module, __filename) { ${moduleUrl}` },
  footer: { js: '})' },
  plugins: [inOtherFiles],
})
writeFileSync(`${out}/package.json`, '{ "type": "commonjs" }\n')
rmSync('dist/bin', { recursive: true, force: true })
renameSync(out, 'dist/bin')
