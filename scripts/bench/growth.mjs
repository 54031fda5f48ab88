// How unpacking grows: with layers, with files and with bytes, at 1, 4 and 16 times as many; and one layer of 4 GB.
import { randomFillSync } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { directories, file, writeImage } from '../image-layout.mjs'
import { ours } from './machine.mjs'
import { inTurns } from './measure.mjs'
import { peakMemory, timed } from './processes.mjs'

const times = [1, 4, 16]

/** The dimensions that grow; everything else stays as it is at 1. */
const dimensions = {
  layers: (n) => Array.from({ length: 4 * n }, (_, i) => () => smallFiles(`layer${i}`, { count: 500, size: 4_000 })),
  files: (n) => [() => smallFiles('opt', { count: 5_000 * n, size: 1_000 })],
  bytes: (n) => [() => smallFiles('opt', { count: 50, size: 1_000_000 * n })],
}

const units = {
  layers: (n) => `${4 * n} layers of 500 files`,
  files: (n) => `${5_000 * n} files of 1 kB`,
  bytes: (n) => `${50 * n} MB in 50 files`,
}

export async function growth({ scratch, rounds }) {
  const place = join(scratch, 'growth')
  mkdirSync(place)
  const results = []
  for (const [name, layersFor] of Object.entries(dimensions)) {
    const images = times.map((n) => ({ name: units[name](n), layout: join(place, `${n}`), layers: layersFor(n) }))
    results.push({ title: `local layout to bundle, growing with ${name}`, ...(await unpackAll(images, place, rounds)) })
  }
  const large = { name: 'one layer of 4 GB', layout: join(place, 'large'), layers: [() => largeFile(4_000)] }
  results.push({ title: 'local layout to bundle, one file of 4 GB', ...(await unpackAll([large], place, 1)) })
  return results
}

async function unpackAll(images, place, rounds) {
  const bundle = join(place, 'bundle')
  const clear = () => rmSync(bundle, { recursive: true, force: true })
  const unpack = (layout) => ['unpack', `oci:${layout}:latest`, '--out', bundle]
  for (const { layout, layers } of images) await writeImage(layout, layers, { level: 1 })
  const contenders = images.map(({ name, layout }) => ({ name, run: () => timed(ours, unpack(layout)), after: clear }))
  const rows = await inTurns(contenders, rounds)
  for (const { name, layout } of images) {
    rows.push({ name: `${name}, peak memory`, unit: 'bytes', values: [await peakMemory(ours, unpack(layout))] })
    clear()
    rmSync(layout, { recursive: true })
  }
  const peaks = rows.filter(({ unit }) => unit === 'bytes')
  return { rows, budgets: peaks.map(({ name }) => ({ of: name, atMost: 200e6 })) }
}

function* smallFiles(top, { count, size }) {
  yield* directories(top)
  for (let i = 0; i < count; i++) {
    if (i % 100 === 0) yield* directories(`${top}/part${i / 100}`)
    yield file(`${top}/part${Math.floor(i / 100)}/file${i}`, pieces(size, i))
  }
}

function* largeFile(megabytes) {
  yield file('large', pieces(megabytes * 1_000_000, 0))
}

const pieceBytes = 1_000_000
/** A quarter of it noise, in blocks of 50 kB: what gzip makes a quarter of. */
const sample = Buffer.alloc(2 * pieceBytes, 'as a matter of fact, nothing of this matters\n')
for (let block = 0; block < sample.length; block += 200_000) randomFillSync(sample, block, 50_000)

/** `size` bytes that differ from file to file. */
const pieces = (size, seed) =>
  Array.from({ length: Math.ceil(size / pieceBytes) }, (_, i) => {
    const at = ((seed + i) * 4096) % pieceBytes
    return sample.subarray(at, at + Math.min(pieceBytes, size - i * pieceBytes))
  })
