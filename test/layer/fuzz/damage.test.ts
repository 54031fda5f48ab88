import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { OciError } from '../../../src/errors.ts'
import { createRootfs } from '../../../src/layer/rootfs.ts'
import { startTree } from '../../../src/runtime/tree-process.ts'
import { inPieces } from '../rootfs-fixture.ts'
import { encodeLayer } from './entries.ts'
import { createRandom, type Random } from './random.ts'
import { randomLayers } from './random-layers.ts'

/**
 * Archives with changed bytes: each becomes a tree or an `OciError`, without delay, and nothing outside is touched.
 * `FUZZ_SECONDS` makes the test go on, as for the layers.
 */

const seconds = Number(process.env.FUZZ_SECONDS ?? '0')
const blockBytes = 512

let top = ''
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'damage-'))
  writeFileSync(join(top, 'canary'), 'untouched')
})
afterEach(() => rmSync(top, { recursive: true }))

/** One change to an archive: a byte, a number of a header, a block lost, doubled or moved, or the end cut off. */
function damage(archive: Buffer, random: Random): Buffer {
  const at = random.int(archive.length)
  const block = at - (at % blockBytes)
  switch (random.int(7)) {
    case 0:
      return Buffer.concat([archive.subarray(0, block), archive.subarray(block + blockBytes)])
    case 1:
      return Buffer.concat([archive.subarray(0, block + blockBytes), archive.subarray(block)])
    case 2:
      return archive.subarray(0, at)
    case 3: {
      const copy = Buffer.from(archive)
      archive.copy(copy, block, random.int(archive.length / blockBytes) * blockBytes, block)
      return copy
    }
    case 4: {
      const copy = Buffer.from(archive)
      const [offset, size] = random.pick([
        [100, 8],
        [108, 8],
        [124, 12],
        [136, 12],
        [329, 8],
        [156, 1],
        [257, 8],
      ] as const)
      const digits = random.pick([
        '7'.repeat(size),
        '\xff'.repeat(size),
        '\x80\x7f',
        '-1',
        ' ',
        String(random.int(8 ** 7)),
      ])
      copy.write(digits.slice(0, size), Math.min(block + offset, copy.length), 'latin1')
      return copy
    }
    default: {
      const copy = Buffer.from(archive)
      copy[at] = random.pick([0, 0xff, 0x2f, 0x2e, 0x0a, 0x30, random.int(256)])
      return copy
    }
  }
}

/** Corrects the checksums: most damage would otherwise end at the checksum of a header, before the code behind it. */
function withChecksums(archive: Buffer): Buffer {
  const copy = Buffer.from(archive)
  for (let block = 0; block + blockBytes <= copy.length; block += blockBytes) {
    if (copy.toString('latin1', block + 257, block + 262) !== 'ustar') continue
    copy.fill(' ', block + 148, block + 156)
    const sum = copy.subarray(block, block + blockBytes).reduce((total, byte) => total + byte, 0)
    copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, block + 148)
  }
  return copy
}

/** Applies an archive. @returns the code of the error, or that there was none */
async function outcome(layers: readonly Buffer[]): Promise<string> {
  const builder = createRootfs(join(top, 'rootfs'), { applyNodeOps: async () => {}, startTree })
  try {
    for (const layer of layers) await builder.apply(inPieces(layer, 1500))
    await builder.finish()
    return 'a tree'
  } catch (error) {
    if (error instanceof OciError) return error.code
    throw error
  } finally {
    await builder.close()
    rmSync(join(top, 'rootfs'), { recursive: true, force: true })
  }
}

test('a damaged archive becomes a tree or an error, and nothing else', {
  timeout: (seconds + 120) * 1000,
}, async () => {
  const outcomes = new Map<string, number>()
  const end = Date.now() + seconds * 1000
  const first = seconds === 0 ? 1 : Date.now() % 2 ** 31
  let seed = first
  for (; seed < first + 300 || Date.now() < end; seed++) {
    const random = createRandom(seed)
    const layers = randomLayers(seed, { isWild: true, hasWhiteouts: true, layers: 2 }).map((entries) => {
      let archive = encodeLayer(entries)
      for (let times = 1 + random.int(4); times > 0 && archive.length > 0; times--) archive = damage(archive, random)
      if (random.chance(0.8)) archive = withChecksums(archive)
      if (random.chance(0.8)) return archive
      const blob = gzipSync(archive)
      return random.chance(0.5) ? blob : damage(blob, random)
    })
    const what = await outcome(layers).catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
    })
    outcomes.set(what, (outcomes.get(what) ?? 0) + 1)
    expect(readdirSync(top), `seed ${seed}`).toEqual(['canary'])
    expect(readFileSync(join(top, 'canary'), 'utf8'), `seed ${seed}`).toBe('untouched')
  }
  if (seconds > 0) console.log(`seeds ${first} to ${seed - 1}: ${JSON.stringify([...outcomes])}`)
  expect(outcomes.get('a tree')).toBeGreaterThan(30)
  expect(outcomes.get('ERR_LAYER_INVALID')).toBeGreaterThan(30)
})
