// The tables of docs/engines.md: what the engines of this machine do with this runtime, and how long it takes.
//
//   npm run test:engines                  runs the tests of engines, and prints the tables
//   npm run test:engines -- --write       puts them into docs/engines.md as well
//   npm run test:engines -- --with FILE   adds the results of another machine: a file with the output of
//                                         `npm run test:vm engines`; more than one may be given
//   node scripts/engines.mjs --from FILE  the same of a run of the tests with ENGINES_TABLE=FILE
//
// Root runs the tests twice on a host with cgroup v1: as it is, and where cgroup v2 alone is mounted, which a kernel gives to
// any mount namespace, and without which crun does not run. Runtimes to compare with are runc and crun in PATH.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isUnified } from './bench/machine.mjs'
import { callsTable, rowsTables, startsTable } from './engines-tables.mjs'

const args = process.argv.slice(2)
const valuesOf = (flag) => args.flatMap((word, index) => (args[index - 1] === flag ? [word] : []))
const scratch = mkdtempSync(join(tmpdir(), 'engines-'))
const calls = join(import.meta.dirname, 'bench/engine-calls.mjs')
let failed = 0
try {
  const places = isUnified() || process.getuid() !== 0 ? [[]] : [[], onCgroup2()]
  const files = valuesOf('--from')
  if (files.length === 0) {
    files.push(join(scratch, 'results'))
    for (const place of places) failed ||= test(place, files[0])
  }
  const results = [...files, ...valuesOf('--with')].flatMap(resultsIn)
  const measured = places.map((place) => measure(place)).filter((one) => one !== undefined)
  const text = [rowsTables(results), startsTable(results), callsTable(measured)].join('\n')
  console.log(text)
  if (args.includes('--write')) writePage(text)
  if (results.length === 0 || results.some(({ passes }) => !passes)) failed ||= 1
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
process.exit(failed)

/**
 * Words before a command that is to see cgroup v2 alone. It has a cgroup of its own: from the root of the hierarchy, Podman would
 * move all processes of the machine into a cgroup "init", and leave them there. It gives its parent's children controllers, too, which
 * are taken back.
 */
function onCgroup2() {
  const own = `/sys/fs/cgroup/engines-${process.pid}`
  const controllers = '/sys/fs/cgroup/cgroup.subtree_control'
  const script = [
    `umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && mkdir ${own} && echo 0 > ${own}/cgroup.procs || exit`,
    `before=$(cat ${controllers}); "$@"; status=$?`,
    `echo 0 > /sys/fs/cgroup/cgroup.procs; rmdir ${own} /sys/fs/cgroup/libpod_parent 2>/dev/null`,
    `for one in $(cat ${controllers}); do case " $before " in *" $one "*) ;; *) echo "-$one" > ${controllers} ;; esac; done`,
    'exit $status',
  ].join('\n')
  return ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script, 'sh']
}

/** Runs the tests, one file after the other: times are compared. */
function test(place, file) {
  const vitest = ['node_modules/.bin/vitest', 'run', '--config', 'test/vitest.config.ts', '--maxWorkers=1']
  const [program, ...words] = [...place, ...vitest, 'test/e2e/engines-']
  const env = { ...process.env, ENGINES_TABLE: file }
  return spawnSync(program, words, { env, stdio: ['ignore', 2, 2] }).status ?? 1
}

/** The calls of an engine, made by what reaps at once, as an engine does: another first process may take seconds. */
function measure(place) {
  const reaper = ['unshare', '-m', '-p', '-f', '--mount-proc', 'bash', '-c', '"$@"; exit $?', 'bash']
  const [program, ...words] = [...place, ...reaper, process.execPath, calls, '20']
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`the calls cannot be measured: ${stderr}`)
  return JSON.parse(stdout)
}

/** Results are lines of their own; a machine's output has others, too. */
function resultsIn(file) {
  const lines = readFileSync(file, 'utf8').split(/\r?\n/)
  return lines.filter((line) => line.startsWith('{"engine":')).map((line) => JSON.parse(line))
}

/** Puts the tables between the two comments of the page. */
function writePage(text) {
  const page = 'docs/engines.md'
  const [before, rest] = readFileSync(page, 'utf8').split('<!-- begin of the table -->\n')
  const after = rest?.split('<!-- end of the table -->')[1]
  if (after === undefined) throw new Error(`${page} has no place for the table`)
  writeFileSync(page, `${before}<!-- begin of the table -->\n${text}<!-- end of the table -->${after}`)
}
