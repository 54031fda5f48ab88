// npm start: from an image in a file to a running container, offline. Leaves nothing behind.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const project = fileURLToPath(new URL('..', import.meta.url))
process.chdir(project)
const place = mkdtempSync(join(tmpdir(), 'bundle-tool-demo-'))
const bundle = join(place, 'bundle')
const tool = (...args) => run('bin/bundle-tool', '--root', join(place, 'root'), ...args)

try {
  tool('unpack', 'fixtures/busybox.tar', '--out', bundle)
  edit({ args: ['ps', '-ef'], terminal: false })
  tool('run', '--bundle', bundle, 'demo1')
  edit({ args: ['id'], terminal: false })
  tool('run', '--bundle', bundle, 'demo2')
  if (process.stdin.isTTY && process.stdout.isTTY) {
    edit({ args: ['sh'], terminal: true })
    console.log('A shell in the container; "exit" ends it.')
    tool('run', '--bundle', bundle, 'demo3')
  }
} finally {
  rmSync(place, { recursive: true, force: true })
}

/** Shows a command and runs it; the first one that fails ends the demo. */
function run(command, ...args) {
  console.log(`$ ${[command, ...args].join(' ')}`)
  // Typed text is for the shell: without a terminal of its own a container would be given it, too.
  const stdin = args.at(-1) === 'demo3' ? 'inherit' : 'ignore'
  const { status, signal, error } = spawnSync(command, args, { stdio: [stdin, 'inherit', 'inherit'] })
  if (error !== undefined) throw error
  if (status === 0 || args.at(-1) === 'demo3') return
  throw new Error(`${command} ${args.join(' ')} ended with ${signal ?? status}`)
}

/** Sets members of process in config.json, and shows which. */
function edit(members) {
  const path = join(bundle, 'config.json')
  const config = JSON.parse(readFileSync(path, 'utf8'))
  Object.assign(config.process, members)
  writeFileSync(path, JSON.stringify(config, undefined, '\t'))
  for (const [name, value] of Object.entries(members)) {
    console.log(`# ${relative(place, path)}: process.${name} = ${JSON.stringify(value)}`)
  }
}
