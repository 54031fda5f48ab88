import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRootfs, type RootfsBuilder, type RootfsOptions } from '../../src/layer/rootfs.ts'
import type { NodeOp } from '../../src/program/node-op.ts'
import { startTree } from '../../src/runtime/tree-process.ts'

process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')

/** A rootfs under construction beside a file of the host that nothing may touch. */
export interface Fixture {
  readonly top: string
  readonly rootfs: string
  readonly builder: RootfsBuilder
  /** The operations that were passed on, in order. */
  readonly ops: NodeOp[]
  readonly warnings: string[]
  /** Applies each archive as a layer and finishes. */
  build(...layers: readonly Buffer[]): Promise<void>
  /** Closes the builder and removes everything. */
  remove(): Promise<void>
}

export function createFixture(options: Partial<RootfsOptions> = {}, place = tmpdir()): Fixture {
  const top = mkdtempSync(join(place, 'layer-'))
  const rootfs = join(top, 'rootfs')
  writeFileSync(join(top, 'canary'), 'untouched')
  mkdirSync(join(top, 'rootfs-evil'))
  const ops: NodeOp[] = []
  const warnings: string[] = []
  const builder = createRootfs(rootfs, {
    applyNodeOps: async (batch) => {
      ops.push(...batch)
    },
    startTree,
    warn: (message) => warnings.push(message),
    ...options,
  })
  return {
    top,
    rootfs,
    builder,
    ops,
    warnings,
    async build(...layers) {
      for (const layer of layers) await builder.apply(inPieces(layer))
      await builder.finish()
    },
    async remove() {
      await builder.close()
      rmSync(top, { recursive: true, force: true })
    },
  }
}

/** The bytes in chunks of a size that is not a multiple of a block. */
export async function* inPieces(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

/**
 * The content of a directory: `path` of a directory with a slash, `path -> target`, or `path = contents`; names are
 * bytes.
 */
export function listing(directory: string): string[] {
  const lines: string[] = []
  function visit(path: string): void {
    for (const entry of readdirSync(onDisk(path), { encoding: 'buffer' })) {
      const name = path + entry.toString('latin1')
      const place = onDisk(name)
      const stats = lstatSync(place)
      if (stats.isDirectory()) {
        lines.push(`${name}/`)
        visit(`${name}/`)
      } else if (stats.isSymbolicLink()) lines.push(`${name} -> ${readlinkSync(place, 'latin1')}`)
      else lines.push(`${name} = ${stats.isFile() ? readFileSync(place, 'latin1') : 'special'}`)
    }
  }
  const onDisk = (path: string): Buffer => Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path, 'latin1')])
  visit('')
  return lines.sort()
}
