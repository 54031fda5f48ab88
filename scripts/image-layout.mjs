// Images of made files, as OCI layouts, for the bench and for the build.
import { createHash } from 'node:crypto'
import { createWriteStream, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch] ?? process.arch
const mediaType = (name) => `application/vnd.oci.image.${name}`

/** @param changesets functions that give the entries of one layer each, lowest first */
export async function writeImage(layout, changesets, { level = 6 } = {}) {
  const blobs = join(layout, 'blobs/sha256')
  mkdirSync(blobs, { recursive: true })
  const layers = await Promise.all(
    changesets.map((entries, i) => writeLayer(blobs, { name: `layer${i}`, entries: entries(), level })),
  )
  const config = writeJson(blobs, {
    architecture,
    os: 'linux',
    config: { Cmd: ['/bin/bash'], Env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'], WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffID }) => diffID) },
  })
  const manifest = writeJson(blobs, {
    schemaVersion: 2,
    mediaType: mediaType('manifest.v1+json'),
    config: { mediaType: mediaType('config.v1+json'), ...config },
    layers: layers.map(({ digest, size }) => ({ mediaType: mediaType('layer.v1.tar+gzip'), digest, size })),
  })
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' }
  const index = { manifests: [{ mediaType: mediaType('manifest.v1+json'), ...manifest, annotations }] }
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, ...index }))
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
}

export const directories = (...paths) => paths.map((path) => entry(`${path}/`, { type: '5', mode: 0o755 }))
export const file = (path, content, mode = 0o644) => entry(path, { content, mode })

/** One member of a tar archive, as pieces. @see POSIX.1-2017 pax "ustar Interchange Format" */
export function entry(path, { type = '0', mode = 0o777, link = '', content = [] }) {
  const size = content.reduce((sum, piece) => sum + piece.length, 0)
  const header = Buffer.alloc(512)
  const octal = (value, width) => `${value.toString(8).padStart(width - 1, '0')}\0`
  const fields = { 0: path, 100: octal(mode, 8), 108: octal(0, 8), 116: octal(0, 8), 124: octal(size, 12) }
  Object.assign(fields, { 136: octal(1_600_000_000, 12), 148: ' '.repeat(8), 156: type, 157: link, 257: 'ustar\x0000' })
  for (const [at, value] of Object.entries(fields)) header.write(value, Number(at), 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return [header, ...content, Buffer.alloc((512 - (size % 512)) % 512)]
}

async function writeLayer(blobs, { name, entries, level }) {
  const [plain, packed] = [createHash('sha256'), createHash('sha256')]
  const path = join(blobs, name)
  await pipeline(
    async function* () {
      for (const chunk of inLargePieces(entries)) {
        plain.update(chunk)
        yield chunk
      }
    },
    createGzip({ level, chunkSize: 1 << 18 }),
    async function* (chunks) {
      for await (const chunk of chunks) {
        packed.update(chunk)
        yield chunk
      }
    },
    createWriteStream(path),
  )
  const hex = packed.digest('hex')
  renameSync(path, join(blobs, hex))
  return { digest: `sha256:${hex}`, diffID: `sha256:${plain.digest('hex')}`, size: statSync(join(blobs, hex)).size }
}

function* inLargePieces(entries) {
  let [pieces, length] = [[], 0]
  for (const piece of flat(entries)) {
    pieces.push(piece)
    length += piece.length
    if (length < 1 << 20) continue
    yield Buffer.concat(pieces)
    ;[pieces, length] = [[], 0]
  }
  yield Buffer.concat([...pieces, Buffer.alloc(1024)])
}

function* flat(entries) {
  for (const pieces of entries) yield* pieces
}

function writeJson(blobs, value) {
  const bytes = Buffer.from(JSON.stringify(value))
  const hex = createHash('sha256').update(bytes).digest('hex')
  writeFileSync(join(blobs, hex), bytes)
  return { digest: `sha256:${hex}`, size: bytes.length }
}
