// Writes dist/bin/NAME.code.cache for the files that commands for images load: V8's code of those functions that a pull
// from a registry runs. All of it happens in this thread, where that code can be had.
import { createHash, randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'
import * as threads from 'node:worker_threads'
import { gzipSync } from 'node:zlib'

const directory = fileURLToPath(new URL('../dist/bin/', import.meta.url))
const nodeRequire = createRequire(join(directory, 'images.js'))
const scripts = new Map()

/** Runs NAME.code.js, and remembers its script. */
function load(name, modules) {
  const filename = join(directory, `${name}.code.js`)
  const script = new Script(readFileSync(filename, 'latin1'), { filename })
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

const digestOf = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** An image of one layer that is large enough for a thread, by what a registry is asked for. */
function makeImage() {
  const entries = Array.from({ length: 300 }, (_, i) => tarEntry(`d${i % 9}/file${i}`, randomBytes(40_000)))
  const directories = Array.from({ length: 9 }, (_, i) => tarEntry(`d${i}/`))
  const tar = Buffer.concat([...directories, ...entries, Buffer.alloc(1024)])
  const layer = gzipSync(tar, { level: 1 })
  const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch] ?? process.arch
  const rootfs = { type: 'layers', diff_ids: [digestOf(tar)] }
  const config = Buffer.from(JSON.stringify({ architecture, os: 'linux', config: { Cmd: ['sh'] }, rootfs }))
  const descriptor = (type, bytes) => ({
    mediaType: `application/vnd.oci.image.${type}`,
    digest: digestOf(bytes),
    size: bytes.length,
  })
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: descriptor('config.v1+json', config),
      layers: [descriptor('layer.v1.tar+gzip', layer)],
    }),
  )
  const blobs = [config, layer].map((bytes) => [`blobs/${digestOf(bytes)}`, bytes])
  return new Map([['manifests/latest', manifest], ...blobs])
}

function tarEntry(path, content = Buffer.alloc(0)) {
  const header = Buffer.alloc(512)
  const octal = (value, width) => `${value.toString(8).padStart(width - 1, '0')}\0`
  const fields = [
    [0, path],
    [100, octal(0o644, 8)],
    [108, octal(0, 8)],
    [116, octal(0, 8)],
  ]
  fields.push([124, octal(content.length, 12)], [136, octal(1_600_000_000, 12)], [148, ' '.repeat(8)])
  fields.push([156, path.endsWith('/') ? '5' : '0'], [257, 'ustar\x0000'])
  for (const [at, value] of fields) header.write(value, at, 'latin1')
  header.write(
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      7,
    ),
    148,
    'latin1',
  )
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)])
}

const image = makeImage()
const server = createServer(({ url }, response) => {
  const content = image.get(url.replace(/^\/v2\/a\//, ''))
  const type = url.includes('/manifests/') ? 'application/vnd.oci.image.manifest.v1+json' : 'application/octet-stream'
  if (content !== undefined) response.setHeader('content-type', type)
  response.statusCode = content === undefined && url !== '/v2/' ? 404 : 200
  response.end(content)
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const place = mkdtempSync(join(tmpdir(), 'code-cache-'))
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
for (const [filename, script] of scripts) {
  writeFileSync(filename.replace(/\.js$/, '.cache'), script.createCachedData())
}
