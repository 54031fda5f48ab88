// Uses the library as a program does that has installed the package: IMAGE ROOT ID.
import { readFileSync, writeFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { create, exec, remove, run, start, state, stop, unpack } from 'bundle-tool'

const [, file, image, root, id] = process.argv
const bundle = `${file}.bundle`
const container = { id, root, bundle }

function configure(args) {
  const path = `${bundle}/config.json`
  const config = JSON.parse(readFileSync(path, 'utf8'))
  Object.assign(config.process, { terminal: false, args })
  writeFileSync(path, JSON.stringify(config))
}

async function show(verb, call) {
  const stdout = new PassThrough()
  const [status, output] = await Promise.all([
    call({ stdin: 'ignore', stdout }).finally(() => stdout.end()),
    text(stdout),
  ])
  console.log(`${verb}: ${status} ${JSON.stringify(output)}`)
}

await unpack(image, { out: bundle })
configure(['sh', '-c', 'echo hello; exit 3'])
for (let round = 0; round < 2; round++) await show('run', (stdio) => run({ ...container, stdio }))

configure(['sleep', '100'])
await create({ ...container, stdio: { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' } })
await start({ id, root })
await show('exec', (stdio) => exec({ id, root, args: ['sh', '-c', 'echo one more; exit 4'], stdio }))
const controller = new AbortController()
setTimeout(() => controller.abort(new Error('no longer wanted')), 50)
await exec({ id, root, args: ['sleep', '100'], signal: controller.signal }).catch((error) =>
  console.log(`abort: ${error.message}`),
)
const { wasKilled } = await stop({ id, root, timeoutMs: 0 })
console.log(`stop: ${wasKilled}, ${(await state({ id, root })).status}`)
await remove({ id, root })
