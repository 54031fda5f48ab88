// Writes dist/bin/NAME.cache for the files of dist/bin that src/cli/cached-script.ts loads: V8's code of those functions that
// some typical commands call. Commands start sooner with it, and do the same without it.
//
// Imported into a command, and into its threads, this file keeps the code of their scripts at their end.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import vm from 'node:vm'
import threads from 'node:worker_threads'
import { startRegistry } from './newcomer-registry.mjs'

const own = fileURLToPath(import.meta.url)
const project = join(import.meta.dirname, '..')
if (process.argv[1] === own) await callCommands()
else keepScripts()

function keepScripts() {
  vm.Script = class extends vm.Script {
    constructor(text, options) {
      super(text, options)
      process.on('exit', () => keep(this, options.filename.replace(/\.js$/, '.cache')))
    }
  }
  threads.Worker = class extends threads.Worker {
    constructor(file, options) {
      super(file, { ...options, execArgv: ['--import', own] })
    }
  }
}

/** Keeps the code that a script was loaded with, and that it has compiled since. */
function keep(script, file) {
  const written = `${file}.${process.pid}-${threads.threadId}`
  writeFileSync(written, script.createCachedData())
  renameSync(written, file)
}

async function callCommands() {
  const place = mkdtempSync(join(tmpdir(), 'code-cache-'))
  const registry = await startRegistry(project, join(place, 'registry'))
  const [bundle, policy, conf] = ['bundle', 'policy.json', 'registries.conf'].map((name) => join(place, name))
  writeFileSync(policy, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }))
  writeFileSync(conf, '')
  const env = { PATH: process.env.PATH, HOME: place, XDG_RUNTIME_DIR: place, CONTAINERS_REGISTRIES_CONF: conf }
  const image = `${registry.host}/busybox`
  const store = ['--store', join(place, 'store')]
  try {
    for (const words of [
      ['pull', image, '--out', bundle, '--policy', policy, ...store],
      ['inspect', image],
      ['images', ...store],
      ['spec', '--bundle', bundle],
      ['list'],
    ]) {
      await call(['--root', join(place, 'root'), ...words], env)
    }
  } finally {
    registry.close()
    rmSync(place, { recursive: true, force: true })
  }
}

async function call(words, env) {
  const args = ['--import', own, join(project, 'dist/bin/boot.js'), ...words]
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (said += text))
  const [status] = await once(child, 'close')
  if (status !== 0) throw new Error(`${words.join(' ')}: ${status} ${said.trim()}`)
}
