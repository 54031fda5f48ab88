import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { requires } from '../requirements.ts'
import { makeTar } from '../source/build-image.ts'
import { tool } from './engine-place.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'stdin-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))
const at = (name: string) => join(directory, name)

const unpack = (input: Buffer) =>
  spawnSync(tool, ['unpack', 'rootfs:-', '--out', at('bundle')], { input, encoding: 'utf8', timeout: 30_000 })

const rootfs = () => makeTar({ 'etc/hostname': 'h', large: 'x'.repeat(500_000) })

test.each([
  ['plain', (tar: Buffer) => tar],
  ['gzip', gzipSync],
])('a rootfs comes by standard input, %s', async (_, compress: (tar: Buffer) => Buffer) => {
  expect(unpack(compress(await rootfs()))).toMatchObject({ status: 0, stdout: '' })
  expect(readFileSync(at('bundle/rootfs/etc/hostname'), 'utf8')).toBe('h')
})

requires('zstd').test('a rootfs comes by standard input, zstd', async () => {
  expect(unpack(execFileSync('zstd', ['-c'], { input: await rootfs() }))).toMatchObject({ status: 0 })
  expect(readFileSync(at('bundle/rootfs/large'), 'utf8')).toHaveLength(500_000)
})

for (const tool of ['xz', 'bzip2']) {
  requires(tool).test(`a rootfs comes by standard input, ${tool}`, async () => {
    expect(unpack(execFileSync(tool, ['-c'], { input: await rootfs() }))).toMatchObject({ status: 0 })
    expect(readFileSync(at('bundle/rootfs/large'), 'utf8')).toHaveLength(500_000)
  })
}

test('nothing, and half of something, are errors', async () => {
  const tar = await rootfs()
  expect(unpack(Buffer.alloc(0))).toMatchObject({ status: 1, stderr: expect.stringContaining('has no files') })
  expect(unpack(tar.subarray(0, 300_000))).toMatchObject({ status: 1, stderr: expect.stringContaining('cut off') })
  expect(unpack(gzipSync(tar).subarray(0, -9))).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('end missing'),
  })
  expect(readdirSync(directory)).toEqual([])
})

test('what export writes to a pipe, unpack reads from it', async () => {
  expect(unpack(await rootfs()).status).toBe(0)
  const pipe = `'${tool}' export '${at('bundle')}' | '${tool}' unpack rootfs:- --out '${at('again')}' -q`
  expect(spawnSync('sh', ['-c', pipe], { encoding: 'utf8' })).toMatchObject({ status: 0, stdout: '', stderr: '' })
  expect(readFileSync(at('again/rootfs/large'))).toEqual(readFileSync(at('bundle/rootfs/large')))
})
