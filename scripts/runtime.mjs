// Packs dist/bundle-tool-runtime.tar.gz: the static files for hosts without Node.js, and a README.
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const name = 'bundle-tool-runtime'
const archive = `dist/${name}.tar.gz`
const directory = join('dist', name)
const binaries = ['bundle-tool', 'bundle-tool-interpreter']
const { version } = JSON.parse(readFileSync('package.json', 'utf8'))

const readme = `bundle-tool ${version}, the runtime for Linux on ${process.arch}: runs OCI containers as runc does, without Node.js.

Put bundle-tool and bundle-tool-interpreter into one directory of PATH, and call "bundle-tool --help". Commands for images
need Node.js and the whole package. docs/runtime-only.md there says more. licenses.txt has the licenses.
`

rmSync(archive, { force: true })
if (!existsSync('dist/bundle-tool-interpreter')) {
  console.error('build: there is no interpreter to be packed: install Rust, and see what "npm run build" says')
  process.exit(1)
}
rmSync(directory, { recursive: true, force: true })
mkdirSync(directory)
for (const file of binaries) {
  copyFileSync(join('dist', file), join(directory, file))
  chmodSync(join(directory, file), 0o755)
}
writeFileSync(join(directory, 'README'), readme)
writeFileSync(
  join(directory, 'licenses.txt'),
  `${readFileSync('LICENSE', 'utf8')}\n${readFileSync('dist/licenses.txt', 'utf8')}`,
)
const options = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0']
const { status, error } = spawnSync('tar', [...options, '-czf', archive, '-C', 'dist', name], { stdio: 'inherit' })
if (status !== 0) {
  console.error(`build: tar failed${error === undefined ? '' : `: ${error.message}`}`)
  process.exit(1)
}
rmSync(directory, { recursive: true })
console.log(archive)
