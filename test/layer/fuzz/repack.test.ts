import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { createRootfs } from '../../../src/layer/rootfs.ts'
import { applyNodeOps } from '../../../src/runtime/node-ops.ts'
import { startTree } from '../../../src/runtime/tree-process.ts'
import { library } from '../../library.ts'
import { requires } from '../../requirements.ts'
import { writeLayout } from '../oracle.ts'
import { inPieces } from '../rootfs-fixture.ts'
import { encodeLayer, type FuzzLayers } from './entries.ts'
import { InvalidLayers, modelOf } from './model.ts'
import { randomLayers } from './random-layers.ts'
import { snapshotOf } from './snapshot.ts'

const { repack, unpack } = library

process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../../dist/bundle-tool-runner')

let top = ''
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'fuzz-repack-'))
})
afterEach(() => rmSync(top, { recursive: true }))

function isValid(layers: FuzzLayers): boolean {
  try {
    modelOf(layers)
    return true
  } catch (error) {
    if (error instanceof InvalidLayers) return false
    throw error
  }
}

/** Replaces the tree of the bundle by that of `layers`. */
async function replaceRootfs(rootfs: string, layers: FuzzLayers): Promise<void> {
  rmSync(rootfs, { recursive: true })
  const builder = createRootfs(rootfs, { applyNodeOps: (ops) => applyNodeOps(rootfs, ops), startTree })
  for (const layer of layers) await builder.apply(inPieces(encodeLayer(layer)))
  await builder.finish()
}

requires('root').test('any changed bundle is the same after it is repacked and unpacked', async () => {
  let compared = 0
  for (let seed = 1; seed <= 70; seed++) {
    const before = randomLayers(seed, { isWild: true, hasWhiteouts: true, layers: 2 })
    const after = randomLayers(seed + 10_000, { isWild: true, hasWhiteouts: true, layers: 3 })
    if (!isValid(before) || !isValid([...before, ...after])) continue
    const place = join(top, String(seed))
    mkdirSync(place)
    const image = (tag: string): string => `oci:${join(place, 'oci')}:${tag}`
    writeLayout(join(place, 'oci'), before.map(encodeLayer))
    const { bundle } = await unpack(image('latest'), { out: join(place, 'bundle') })
    await replaceRootfs(join(bundle, 'rootfs'), [...before, ...after])
    await repack({ bundle, image: image('new'), env: {}, store: join(place, 'store') })
    await unpack(image('new'), { out: join(place, 'again') })
    expect(snapshotOf(join(place, 'again/rootfs')), `seed ${seed}`).toEqual(snapshotOf(join(bundle, 'rootfs')))
    compared += 1
  }
  expect(compared).toBeGreaterThan(20)
})
