import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { ExecutionConfig } from '../../src/oci/image-config.ts'

/**
 * Names, types, modes, owners, link targets, sizes, link counts and times; without the times of directories that no
 * entry made.
 */
export function describeTree(rootfs: string): string[] {
  const format = '%P|%y|%m|%U:%G|%l|%n|%T@\\n'
  const lines = execFileSync('find', ['.', '-printf', format], { cwd: rootfs, encoding: 'utf8' }).trim().split('\n')
  return lines
    .map((line) => line.split('|'))
    .map(([path = '', type, mode, owner, target, links, time]) =>
      [path, type, mode, owner, target, type === 'd' ? '' : links, ['', 'usr'].includes(path) ? '' : time].join('|'),
    )
    .sort()
}

/** Extended attributes as `getfattr` shows them, one text for each file that has some. */
export function attributes(rootfs: string): string[] {
  const args = ['--no-dereference', '-R', '-d', '-m', '-', '-e', 'hex', '.']
  return execFileSync('getfattr', args, { cwd: rootfs, encoding: 'utf8' }).trim().split('\n\n').sort()
}

/** An OCI image layout of these layers, for other tools to read, with the tag `latest`. */
export function writeLayout(layout: string, layers: readonly Buffer[], execution?: ExecutionConfig): void {
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true })
  const put = (bytes: Buffer, mediaType: string) => {
    const hex = createHash('sha256').update(bytes).digest('hex')
    writeFileSync(join(layout, 'blobs/sha256', hex), bytes)
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length }
  }
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
  const type = 'application/vnd.oci.image'
  const config = put(
    json({
      architecture: 'amd64',
      os: 'linux',
      config: execution,
      rootfs: {
        type: 'layers',
        diff_ids: layers.map((layer) => `sha256:${createHash('sha256').update(layer).digest('hex')}`),
      },
    }),
    `${type}.config.v1+json`,
  )
  const blobs = layers.map((layer) => put(gzipSync(layer), `${type}.layer.v1.tar+gzip`))
  const manifest = put(json({ schemaVersion: 2, config, layers: blobs }), `${type}.manifest.v1+json`)
  const named = { ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'latest' } }
  writeFileSync(join(layout, 'index.json'), json({ schemaVersion: 2, manifests: [named] }))
  writeFileSync(join(layout, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }))
}
