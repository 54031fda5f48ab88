import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect } from 'vitest'
import { OciError } from '../../../src/errors.ts'
import { createRootfs } from '../../../src/layer/rootfs.ts'
import { applyNodeOps } from '../../../src/runtime/node-ops.ts'
import { startTree } from '../../../src/runtime/tree-process.ts'
import { requires } from '../../requirements.ts'
import { describeTree, writeLayout } from '../oracle.ts'
import { inPieces } from '../rootfs-fixture.ts'
import { encodeLayer, type FuzzLayers } from './entries.ts'
import { InvalidLayers, modelOf } from './model.ts'
import { randomLayers, type Taste } from './random-layers.ts'
import { snapshotOf, snapshotOfModel } from './snapshot.ts'

/**
 * Random layers, applied and compared with a model, with umoci and with GNU tar.
 *
 * A run of the suite tries the same few hundred seeds always. `FUZZ_SECONDS=3600 npx vitest run test/layer/fuzz` goes
 * on with new ones; a failing case is minimised and printed, to be kept as a file in fixtures/layers.
 */

process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../../dist/bundle-tool-runner')

const seconds = Number(process.env.FUZZ_SECONDS ?? '0')
const corpus = join(import.meta.dirname, '../../../fixtures/layers')
const wild: Taste = { isWild: true, hasWhiteouts: true, layers: 4 }
const tame: Taste = { isWild: false, hasWhiteouts: true, layers: 3 }

let top = ''
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'fuzz-'))
})
afterEach(() => rmSync(top, { recursive: true }))

/** Options for applying the layers. */
interface Mode {
  readonly strictOverlay?: boolean
}

/** The applier's result: a tree in lines, or that the layers are invalid. */
async function applied(layers: FuzzLayers, mode: Mode): Promise<string[]> {
  const rootfs = join(top, 'rootfs')
  const builder = createRootfs(rootfs, { applyNodeOps: (ops) => applyNodeOps(rootfs, ops), startTree, ...mode })
  try {
    for (const [index, layer] of layers.entries()) {
      const archive = encodeLayer(layer)
      await builder.apply(inPieces(index % 2 === 0 ? archive : gzipSync(archive), 700))
    }
    await builder.finish()
    return snapshotOf(rootfs)
  } catch (error) {
    if (error instanceof OciError && error.code === 'ERR_LAYER_INVALID') return ['invalid']
    throw error
  } finally {
    await builder.close()
    rmSync(rootfs, { recursive: true, force: true })
  }
}

function expected(layers: FuzzLayers, { strictOverlay = false }: Mode): string[] {
  try {
    return snapshotOfModel(modelOf(layers, strictOverlay))
  } catch (error) {
    if (error instanceof InvalidLayers) return ['invalid']
    throw error
  }
}

async function isRight(layers: FuzzLayers, mode: Mode): Promise<boolean> {
  return JSON.stringify(await applied(layers, mode)) === JSON.stringify(expected(layers, mode))
}

/** Minimises layers: removes entries as long as the rest still fails. */
async function shrink(layers: FuzzLayers, mode: Mode): Promise<FuzzLayers> {
  for (const [layer, entries] of layers.entries()) {
    for (const index of entries.keys()) {
      const fewer = layers.map((all, at) => (at === layer ? all.filter((_, position) => position !== index) : all))
      if (!(await isRight(fewer, mode))) return shrink(fewer, mode)
    }
  }
  return layers
}

async function check(layers: FuzzLayers, name: string, mode: Mode): Promise<void> {
  if (await isRight(layers, mode)) return
  const small = await shrink(layers, mode)
  const message = `${name}, ${JSON.stringify(mode)}, made small: ${JSON.stringify(small)}`
  expect(await applied(small, mode), message).toEqual(expected(small, mode))
}

const root = requires('root').test

root('random layers become what the model says', { timeout: (seconds + 120) * 1000 }, async () => {
  let valid = 0
  const end = Date.now() + seconds * 1000
  const first = seconds === 0 ? 1 : Date.now() % 2 ** 31
  let seed = first
  for (; seed < first + 400 || Date.now() < end; seed++) {
    const layers = randomLayers(seed, wild)
    const mode = { strictOverlay: seed % 4 === 0 }
    if (expected(layers, mode)[0] !== 'invalid') valid += 1
    await check(layers, `seed ${seed}`, mode)
  }
  // A generator whose layers are mostly invalid would show nothing.
  expect(valid).toBeGreaterThan(200)
  if (seconds > 0) console.log(`seeds ${first} to ${seed - 1}, ${valid} of them valid images`)
})

const kept = readdirSync(corpus).filter((name) => name.endsWith('.json'))

root.each(kept)('fixtures/layers/%s', async (name) => {
  const layers = JSON.parse(readFileSync(join(corpus, name), 'utf8'))
  for (const mode of [{}, { strictOverlay: true }]) await check(layers, name, mode)
})

requires('root', 'umoci').test('tame layers give the same tree as with umoci', { timeout: 120_000 }, async () => {
  let compared = 0
  for (let seed = 1; seed <= 60; seed++) {
    const layers = randomLayers(seed, tame)
    const place = join(top, `umoci-${seed}`)
    writeLayout(join(place, 'oci'), layers.map(encodeLayer))
    try {
      const image = `${join(place, 'oci')}:latest`
      execFileSync('umoci', ['raw', 'unpack', '--image', image, join(place, 'theirs')], { stdio: 'pipe' })
    } catch {
      continue // umoci 0.4.7 fails where a file stands in the place of a parent
    }
    const rootfs = join(place, 'ours')
    const builder = createRootfs(rootfs, { applyNodeOps: (ops) => applyNodeOps(rootfs, ops), startTree })
    for (const layer of layers) await builder.apply(inPieces(encodeLayer(layer)))
    await builder.finish()
    expect(withoutImpliedTimes(rootfs), `seed ${seed}`).toEqual(withoutImpliedTimes(join(place, 'theirs')))
    compared += 1
  }
  expect(compared).toBeGreaterThan(15)
})

root('one tame layer becomes what GNU tar makes of it', async () => {
  let compared = 0
  for (let seed = 1; seed <= 60; seed++) {
    const layers = randomLayers(seed, { ...tame, hasWhiteouts: false, layers: 1 })
    const archive = encodeLayer(layers[0] ?? [])
    const theirs = join(top, `tar-${seed}`)
    mkdirSync(theirs)
    writeFileSync(join(top, 'layer.tar'), archive)
    try {
      execFileSync('tar', ['-xpf', join(top, 'layer.tar'), '--numeric-owner', '-C', theirs], { stdio: 'pipe' })
    } catch {
      continue // as umoci does; and tar does not replace a directory that is not empty
    }
    const rootfs = join(top, `ours-${seed}`)
    const builder = createRootfs(rootfs, { applyNodeOps: (ops) => applyNodeOps(rootfs, ops), startTree })
    await builder.apply(inPieces(archive))
    await builder.finish()
    expect(withoutImpliedTimes(rootfs), `seed ${seed}`).toEqual(withoutImpliedTimes(theirs))
    compared += 1
  }
  expect(compared).toBeGreaterThan(15)
})

/** The tree without the times of directories that no entry made, which get the current time from other tools. */
function withoutImpliedTimes(rootfs: string): string[] {
  return describeTree(rootfs).map((line) => (line.split('|')[1] === 'd' ? line.replace(/\|[^|]*$/, '') : line))
}
