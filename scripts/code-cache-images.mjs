// Writes dist/bin/NAME.code.cache for the files that commands for images load: V8's code of those functions that a pull
// from a registry runs. All of it happens in this thread, where that code can be had.
import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as threads from 'node:worker_threads'
import { directories, file, writeImage } from './image-layout.mjs'
import { keepCode, scriptOf } from './script-cache.mjs'

const directory = fileURLToPath(new URL('../dist/bin/', import.meta.url))
const nodeRequire = createRequire(join(directory, 'images.js'))
const scripts = new Map()

/** Runs NAME.code.js, and remembers its script. */
function load(name, modules) {
  const filename = join(directory, `${name}.code.js`)
  const script = scriptOf(filename)
  scripts.set(filename, script)
  const module = { exports: {} }
  const require = (id) => modules[id] ?? (id === './undici.js' ? undici() : nodeRequire(id))
  script.runInThisContext()(module.exports, require, module, filename)
  return module.exports
}

let loadedUndici
const undici = () => (loadedUndici ??= load('undici', {}))

/** A worker whose code runs in this thread. */
class Worker extends EventEmitter {
  constructor(url, { workerData }) {
    super()
    const { port1, port2 } = new threads.MessageChannel()
    this.port = port1
    port1.on('message', (message) => this.emit('message', message))
    port1.on('close', () => this.emit('exit', 0))
    const name = fileURLToPath(url).match(/([^/]+)\.js$/)[1]
    load(name, { 'node:worker_threads': { ...threads, parentPort: port2, workerData } })
  }
  postMessage(message, transfer) {
    this.port.postMessage(message, transfer)
  }
}

/** An image of one layer that is large enough for a thread, by what a registry is asked for. */
async function makeImage(layout) {
  const files = Array.from({ length: 300 }, (_, i) => file(`d${i % 9}/file${i}`, [randomBytes(40_000)]))
  await writeImage(layout, [() => [...directories('d0', 'd1', 'd2'), ...files]], { level: 1 })
  const manifest = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')).manifests[0].digest
  const blobs = readdirSync(join(layout, 'blobs/sha256')).map((hex) => [
    `blobs/sha256:${hex}`,
    readFileSync(join(layout, 'blobs/sha256', hex)),
  ])
  const image = new Map(blobs)
  return image.set('manifests/latest', image.get(`blobs/${manifest}`))
}

const place = mkdtempSync(join(tmpdir(), 'code-cache-'))
const image = await makeImage(join(place, 'layout'))
const server = createServer(({ url }, response) => {
  const content = image.get(url.replace(/^\/v2\/a\//, ''))
  const type = url.includes('/manifests/') ? 'application/vnd.oci.image.manifest.v1+json' : 'application/octet-stream'
  if (content !== undefined) response.setHeader('content-type', type)
  response.statusCode = content === undefined && url !== '/v2/' ? 404 : 200
  response.end(content)
}).listen(0, '127.0.0.1')
await once(server, 'listening')
try {
  const images = load('images', { 'node:worker_threads': { ...threads, Worker } })
  // Neither the registries nor the policy of this machine.
  const [conf, policy] = ['registries.conf', 'policy.json'].map((name) => join(place, name))
  writeFileSync(conf, '')
  writeFileSync(policy, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }))
  const env = { HOME: place, PATH: process.env.PATH, CONTAINERS_REGISTRIES_CONF: conf }
  const store = join(place, 'store')
  const reference = `127.0.0.1:${server.address().port}/a:latest`
  const quiet = { onProgress() {}, onLayerRead() {}, onLayer() {}, warn() {} }
  await images.pull(reference, { out: join(place, 'bundle'), store, env, policy, ...quiet })
  await images.inspect(reference, { env, policy })
} finally {
  server.close()
  server.closeAllConnections()
  rmSync(place, { recursive: true, force: true })
}
for (const [filename, script] of scripts) keepCode(script, filename)
