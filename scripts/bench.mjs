// Measures bundle-tool against the tools that are installed here, in one run, taking turns.
//
//   npm run bench                          everything
//   npm run bench -- pull run              some parts: pull, unpack, run, try, lifecycle, cold, commands, library, memory,
//                                          many, ageing, growth
//     --image LAYOUT    an OCI image layout with the tag "latest", instead of the image made here
//     --rounds N        how many rounds are counted; default 5
//     --json FILE       write every single value there
//
// Works in a mount namespace and on a tmpfs of its own, which vanish with it. docs/performance.md has results.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ageing } from './bench/ageing.mjs'
import { coldCalls } from './bench/cold-calls.mjs'
import { otherCommands } from './bench/commands.mjs'
import { growth } from './bench/growth.mjs'
import { library } from './bench/library.mjs'
import { lifecycle } from './bench/lifecycle.mjs'
import { describeMachine, isInstalled, isUnified } from './bench/machine.mjs'
import { many } from './bench/many.mjs'
import { memory } from './bench/memory.mjs'
import { pull } from './bench/pull.mjs'
import { judge, table } from './bench/report.mjs'
import { run } from './bench/run.mjs'
import { tryOf } from './bench/try.mjs'
import { unpack } from './bench/unpack.mjs'

const parts = {
  pull,
  unpack,
  run,
  try: tryOf,
  lifecycle,
  cold: coldCalls,
  commands: otherCommands,
  library,
  memory,
  many,
  ageing,
  growth,
}
/** These are measured once more where crun works: it takes no host whose controllers are on cgroup v1. */
const cgroupParts = ['run', 'lifecycle', 'cold', 'commands', 'library', 'memory', 'many']
const store = '/var/lib/bundle-tool'
const scratch = process.env.BUNDLE_TOOL_BENCH_SCRATCH

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { image: { type: 'string' }, json: { type: 'string' }, rounds: { type: 'string', default: '5' } },
})
const rounds = Number(options.rounds)
const chosen = positionals.length === 0 ? Object.keys(parts) : positionals
const unknown = chosen.filter((name) => !Object.hasOwn(parts, name))

if (unknown.length > 0) fail(`no such part: ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}`)
else if (!Number.isInteger(rounds) || rounds < 1) fail('--rounds wants a number from 1 on')
else if (process.geteuid() !== 0) fail('run it as root: it mounts a tmpfs and starts containers')
else if (scratch === undefined) await inNamespace()
else await measure()

function fail(message) {
  console.error(`bench: ${message}`)
  process.exitCode = 1
}

/** Runs this script again, in a mount namespace of its own. */
async function inNamespace() {
  const directory = mkdtempSync(join(tmpdir(), 'bundle-tool-bench-'))
  process.on('SIGINT', () => {}) // the other one ends by it, and with it this one
  try {
    // On /var/lib, too, lies a directory of the tmpfs: that is where the store of root is.
    const script = `mount -t tmpfs -o mode=755 bundle-tool-bench "$1" && mkdir "$1/lib" "$1/work" &&
      mount --bind "$1/lib" /var/lib && shift && exec "$@"`
    process.exitCode = await again(script, [directory], { BUNDLE_TOOL_BENCH_SCRATCH: join(directory, 'work') })
  } finally {
    rmdirSync(directory)
  }
}

async function again(script, words, env, args = process.argv.slice(2)) {
  const { NODE_EXTRA_CA_CERTS, NODE_OPTIONS, ...rest } = process.env
  const self = [process.execPath, fileURLToPath(import.meta.url), ...args]
  const child = spawn(
    'unshare',
    ['--mount', '--propagation', 'private', '/bin/sh', '-c', script, 'sh', ...words, ...self],
    { stdio: 'inherit', env: { ...rest, ...env } },
  )
  const [code] = await once(child, 'exit')
  return code ?? 1
}

async function measure() {
  const isInner = process.env.BUNDLE_TOOL_BENCH_INNER !== undefined
  if (!isInner) console.log(`${describeMachine().join('\n')}\n`)
  const results = []
  const image = options.image === undefined ? undefined : resolve(options.image)
  for (const name of chosen) {
    for (const result of await parts[name]({ scratch, rounds, image, store })) show(results, result)
  }
  const left = chosen.filter((name) => cgroupParts.includes(name))
  if (!isInner && left.length > 0 && isInstalled('crun') && !isUnified()) results.push(...(await onCgroup2(left)))
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, undefined, 2)}\n`)
}

function show(results, result) {
  results.push({ ...result, judged: judge(result.rows, result.budgets ?? []) })
  console.log(table(result))
}

/** The same parts where cgroup v2 alone is mounted; a kernel gives that to any mount namespace. */
async function onCgroup2(names) {
  const script = 'umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"'
  const place = join(scratch, 'cgroup2')
  const json = join(place, 'results.json')
  mkdirSync(place)
  const env = { BUNDLE_TOOL_BENCH_SCRATCH: place, BUNDLE_TOOL_BENCH_INNER: '1' }
  const code = await again(script, [], env, [...names, '--rounds', options.rounds, '--json', json])
  if (code !== 0) throw new Error('the parts on cgroup v2 failed')
  return JSON.parse(readFileSync(json, 'utf8'))
}
