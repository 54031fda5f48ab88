// Format, lint, types, and that what is generated is fresh.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const steps = [
  ['node_modules/.bin/biome', 'check', '--error-on-warnings', '.'],
  ['node_modules/.bin/tsc', '-p', 'tsconfig.json', '--noEmit'],
  ['node_modules/.bin/tsc', '-p', 'test/tsconfig.json'],
  ...(existsSync('.ci/generate.mjs') ? [['node', '.ci/generate.mjs', '--check']] : []),
]
for (const [command, ...args] of steps) {
  const { status } = spawnSync(command, args, { stdio: 'inherit' })
  if (status !== 0) process.exit(1)
}
