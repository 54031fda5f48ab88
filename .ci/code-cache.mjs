// Writes dist/bin/cli.cache: V8's code of those functions of dist/bin/cli.js that a typical command runs. The container
// is not started: the program goes to a runner that does nothing.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'

const filename = fileURLToPath(new URL('../dist/bin/cli.js', import.meta.url))
const script = new Script(readFileSync(filename, 'latin1'), { filename })
const module = { exports: {} }
script.runInThisContext()(module.exports, createRequire(filename), module, filename)

process.env.BUNDLE_TOOL_RUNNER = '/bin/true'
const place = mkdtempSync(join(tmpdir(), 'code-cache-'))
try {
  const bundle = join(place, 'bundle')
  const silent = { write() {} }
  const io = { name: 'bundle-tool', stdin: process.stdin, stdout: silent, stderr: silent, env: {}, euid: 0 }
  const call = (...args) => module.exports.main(['--root', join(place, 'root'), ...args], io)
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
  for (const name of ['start', 'state', 'kill', 'delete']) await call(name, 'demo')
  await call('list')
} finally {
  rmSync(place, { recursive: true, force: true })
}
writeFileSync(join(filename, '../cli.cache'), script.createCachedData())
