// A registry on loopback that has one image, that of fixtures/busybox.tar, under every name; registry:2 stays until it is stopped.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const server = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done']

/**
 * @param directory is made
 * @returns `host`; `rootfs`, the file with the image's root as a tar archive; and `close`
 */
export async function startRegistry(project, directory) {
  mkdirSync(directory, { mode: 0o755 })
  execFileSync('tar', ['-xf', join(project, 'fixtures/busybox.tar'), '-C', directory])
  const read = (digest) => readFileSync(blobPath(digest))
  const blobPath = (digest) => join(directory, 'blobs', digest.replace(':', '/'))
  const add = (content) => {
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`
    writeFileSync(blobPath(digest), content)
    return { digest, size: content.length }
  }
  const index = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8'))
  const image = JSON.parse(read(index.manifests[0].digest))
  const rootfs = join(directory, 'rootfs.tar')
  writeFileSync(rootfs, gunzipSync(read(image.layers[0].digest)))
  const config = JSON.parse(read(image.config.digest))
  const serving = { ...config, config: { ...config.config, Cmd: server } }
  const others = { ...image, config: { ...image.config, ...add(Buffer.from(JSON.stringify(serving))) } }
  const manifests = { registry: add(Buffer.from(JSON.stringify(others))).digest }

  const http = createServer(({ url = '', method }, response) => {
    const [, name = '', kind, version = ''] = /^\/v2\/(?:library\/)?(.+)\/(manifests|blobs)\/(.+)$/.exec(url) ?? []
    if (url === '/v2/') return void response.end('{}')
    const digest = version.startsWith('sha256:') ? version : (manifests[name] ?? index.manifests[0].digest)
    if (kind === undefined || !existsSync(blobPath(digest))) return void response.writeHead(404).end('{"errors":[]}')
    response.setHeader('content-type', kind === 'manifests' ? manifestType : 'application/octet-stream')
    response.setHeader('docker-content-digest', digest)
    response.setHeader('content-length', read(digest).length)
    if (method === 'HEAD') return void response.end()
    createReadStream(blobPath(digest)).pipe(response)
  }).listen(0, '127.0.0.1')
  await once(http, 'listening')
  return {
    host: `127.0.0.1:${http.address().port}`,
    rootfs,
    close: () => {
      http.close()
      http.closeAllConnections()
    },
  }
}
