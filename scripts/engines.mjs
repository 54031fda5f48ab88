// The table of docs/engines.md: what the engines of this machine do with this runtime, and how long it takes.
//
//   npm run test:engines                 runs the tests of engines, and prints the table
//   npm run test:engines -- --write      puts it into docs/engines.md as well
//   node scripts/engines.mjs --from FILE the same of a run of the tests with ENGINES_TABLE=FILE
//
// Runtimes that the calls are compared with are runc and crun in PATH.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { engineCalls } from './bench/engine-calls.mjs'

const args = process.argv.slice(2)
const from = args.includes('--from') ? args[args.indexOf('--from') + 1] : undefined
const scratch = mkdtempSync(join(tmpdir(), 'engines-'))
let failed = 0
try {
  const file = from ?? join(scratch, 'results')
  if (from === undefined) failed = test(file)
  const results = readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
  const text = [rowsTable(results), callsTable(await measure())].join('\n')
  console.log(text)
  if (args.includes('--write')) writePage(text)
  if (results.length === 0 || results.some(({ isSame }) => !isSame)) failed ||= 1
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
process.exit(failed)

/** Runs the tests, one file after the other: times are compared. */
function test(file) {
  const vitest = ['run', '--config', 'test/vitest.config.ts', '--maxWorkers=1', 'test/e2e/engines-']
  const env = { ...process.env, ENGINES_TABLE: file }
  return spawnSync('node_modules/.bin/vitest', vitest, { env, stdio: ['ignore', 2, 2] }).status ?? 1
}

async function measure() {
  const runtimes = [{ name: 'bundle-tool', path: join(import.meta.dirname, '../dist/bundle-tool') }]
  for (const name of ['runc', 'crun']) {
    const path = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim()
    if (path !== '') runtimes.push({ name, path, version: versionOf(path) })
  }
  const calls = await engineCalls({ scratch, runtimes, rounds: 20 })
  return { calls, runtimes }
}

function versionOf(path) {
  return /version (\S+)/.exec(spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout)?.[1] ?? ''
}

function rowsTable(results) {
  const lines = ['| engine | what was run | as with runc | ms | ms with runc |', '| --- | --- | --- | ---: | ---: |']
  for (const { engine, what, isSame, ms } of results) {
    const outcome = !isSame ? '**no**' : ms.runc === undefined ? 'alone' : 'yes'
    lines.push(`| ${engine} | ${what.replaceAll('|', '\\|')} | ${outcome} | ${ms['bundle-tool']} | ${ms.runc ?? ''} |`)
  }
  return `${lines.join('\n')}\n`
}

function callsTable({ calls, runtimes }) {
  const others = runtimes.slice(1).filter(({ name }) => calls[0].of[name] !== undefined)
  const heads = others.flatMap(({ name, version }) => [`${name} ${version}`, 'ratio'])
  const lines = [
    `| call | ms (CPU) | ${heads.join(' | ')} |`,
    `| --- | ---: |${' ---: |'.repeat(heads.length)}`,
    ...calls.map(({ command, of }) => {
      const own = of['bundle-tool']
      const cells = others.flatMap(({ name }) => [shown(of[name]), (own.wall / of[name].wall).toFixed(2)])
      return `| ${command} | ${shown(own)} | ${cells.join(' | ')} |`
    }),
  ]
  return `${lines.join('\n')}\n`
}

function shown({ wall, cpu }) {
  return `${wall.toFixed(0)} (${cpu.toFixed(0)})`
}

/** Puts the tables between the two comments of the page. */
function writePage(text) {
  const page = 'docs/engines.md'
  const [before, rest] = readFileSync(page, 'utf8').split('<!-- begin of the table -->\n')
  const after = rest?.split('<!-- end of the table -->')[1]
  if (after === undefined) throw new Error(`${page} has no place for the table`)
  writeFileSync(page, `${before}<!-- begin of the table -->\n${text}<!-- end of the table -->${after}`)
}
