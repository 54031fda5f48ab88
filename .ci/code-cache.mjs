// Writes dist/bin/FILE for the FILE given: V8's code of those functions of dist/bin/cli.js that a typical command
// runs. No container is started: the programs go to a front that does nothing.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'
import * as errors from '../dist/errors.js'

const filename = fileURLToPath(new URL('../dist/bin/cli.js', import.meta.url))
const require = createRequire(filename)
const script = new Script(readFileSync(filename, 'latin1'), { filename })
const module = { exports: {} }
script.runInThisContext()(module.exports, (name) => (name === './errors.js' ? errors : require(name)), module, filename)

const place = mkdtempSync(join(tmpdir(), 'code-cache-'))
try {
  const [root, bundle] = ['root', 'bundle'].map((name) => join(place, name))
  const silent = { write() {} }
  const io = { name: 'bundle-tool', stdout: silent, stderr: silent, env: {}, euid: 0, handOver() {} }
  const call = (...args) => module.exports.main(['--root', root, ...args], io)
  mkdirSync(join(bundle, 'rootfs'), { recursive: true })
  await call('spec', '--bundle', bundle)
  const config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'))
  writeFileSync(
    join(bundle, 'config.json'),
    JSON.stringify({ ...config, process: { ...config.process, terminal: false } }),
  )
  const flags = ['--bundle', bundle, '--pid-file', join(place, 'pid')]
  await call('run', ...flags, 'demo')
  await call('create', ...flags, 'demo')
  writeState(join(root, 'demo'), bundle)
  await call('exec', 'demo', '/bin/true')
  for (const name of ['start', 'state', 'list']) await call(name, 'demo')
} finally {
  rmSync(place, { recursive: true, force: true })
}
writeFileSync(join(filename, '..', process.argv[2]), script.createCachedData())

/** The state of a container whose first process is this one. */
function writeState(directory, bundle) {
  const init_process_start = Number(readFileSync('/proc/self/stat', 'latin1').replace(/.*\) /s, '').split(' ')[19])
  const namespaces = ['NEWNS', 'NEWPID', 'NEWNET', 'NEWIPC', 'NEWUTS'].map((type) => ({ type }))
  const config = { rootfs: join(bundle, 'rootfs'), labels: [`bundle=${bundle}`], namespaces }
  mkdirSync(directory)
  writeFileSync(
    join(directory, 'state.json'),
    JSON.stringify({ id: 'demo', init_process_pid: process.pid, init_process_start, cgroup_paths: {}, config }),
  )
}
