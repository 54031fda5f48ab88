// The image that is measured: made by the bench, or the one that was named.
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { makeImage } from './image.mjs'
import { ours } from './machine.mjs'
import { timed } from './processes.mjs'

let opened

/** @returns `{ layout, layers, entries, describe }`: the layers' blobs, lowest first, and how many names a rootfs has */
export async function measuredImage({ scratch, image }) {
  opened ??= await open(scratch, image)
  return opened
}

async function open(scratch, image) {
  const layout = image ?? join(scratch, 'layout')
  if (image === undefined) await makeImage(layout)
  const blob = (digest) => join(layout, 'blobs', digest.replace(':', '/'))
  const json = (path) => JSON.parse(readFileSync(path, 'utf8'))
  const { manifests } = json(join(layout, 'index.json'))
  const named = manifests.find(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === 'latest')
  if (named === undefined) throw new Error(`${layout} has no image called "latest"`)
  const layers = json(blob(named.digest)).layers.map(({ digest }) => blob(digest))
  const megabytes = layers.reduce((sum, path) => sum + statSync(path).size, 0) / 1e6

  const probe = join(scratch, 'probe')
  timed(ours, ['unpack', `oci:${layout}:latest`, '--out', probe])
  const entries = countEntries(join(probe, 'rootfs'))
  rmSync(probe, { recursive: true })
  return { layout, layers, entries, describe: `${layers.length} layers, ${megabytes.toFixed(0)} MB, ${entries} files` }
}

// With file types, for without them Node.js 20 goes on where a link of the image leads, out of the rootfs.
export const countEntries = (rootfs) => readdirSync(rootfs, { recursive: true, withFileTypes: true }).length

/** A tool that leaves a different number of files than the others does not take part in the race. */
export function checkEntries(name, rootfs, entries) {
  const found = countEntries(rootfs)
  if (found !== entries) throw new Error(`${name} made ${found} files, not ${entries}`)
}
