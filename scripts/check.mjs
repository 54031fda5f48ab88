// Format, lint, types, that what is generated is fresh, and the analyzer of gcc over the runner.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const steps = [
  ['node_modules/.bin/biome', 'check', '--error-on-warnings', '.'],
  ['node_modules/.bin/tsc', '-p', 'tsconfig.json', '--noEmit'],
  ['node_modules/.bin/tsc', '-p', 'test/tsconfig.json'],
  ...(existsSync('scripts/generate.mjs') ? [['node', 'scripts/generate.mjs', '--check']] : []),
]
for (const [command, ...args] of steps) {
  const { status } = spawnSync(command, args, { stdio: 'inherit' })
  if (status !== 0) process.exit(1)
}
analyze()

/** Only what has changed since it last passed: it takes seconds. Other compilers have no such analyzer. */
function analyze() {
  const stamp = 'dist/.analyzed'
  const sources = readdirSync('native', { recursive: true, encoding: 'utf8' }).map((name) => join('native', name))
  const newest = Math.max(...sources.map((path) => statSync(path).mtimeMs))
  if (existsSync(stamp) && statSync(stamp).mtimeMs > newest) return
  const flags = readFileSync('native/flags', 'utf8').trim().split(/\s+/)
  for (const source of sources.filter((path) => path.endsWith('.c'))) {
    const { status, error } = spawnSync('gcc', [...flags, '-fanalyzer', '-c', '-o', '/dev/null', source], {
      stdio: 'inherit',
    })
    if (error?.code === 'ENOENT' && process.env.MUST_WORK !== '1') {
      console.warn('skipped: -fanalyzer needs gcc')
      return
    }
    if (status !== 0) process.exit(1)
  }
  writeFileSync(stamp, '')
}
