import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { requires } from '../requirements.ts'
import { dockerFiles, layoutFiles, makeImage, makeLayer, makeTar } from '../source/build-image.ts'
import { tool } from './engine-place.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'stdin-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))
const at = (name: string) => join(directory, name)

const unpack = (input: Buffer, source = 'rootfs:-') =>
  spawnSync(tool, ['unpack', source, '--out', at('bundle')], { input, encoding: 'utf8', timeout: 30_000 })

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

test('an archive of images comes by standard input, of either kind, compressed or not', async () => {
  const image = makeImage([await makeLayer({ file: 'x' })])
  const docker = await makeTar(dockerFiles([{ tags: ['test:1'], image }]))
  const oci = await makeTar(layoutFiles({ one: image }))
  const cases: readonly [string, Buffer][] = [
    ['-', docker],
    ['-', gzipSync(oci)],
    ['-', await rootfs()],
    ['docker-archive:-:test:1', gzipSync(docker)],
    ['oci-archive:-:one', oci],
  ]
  for (const [source, input] of cases) {
    expect(unpack(input, source), source).toMatchObject({ status: 0, stdout: '' })
    expect(readdirSync(at('bundle/rootfs'))).toEqual(input.length > 500_000 ? ['etc', 'large'] : ['file'])
    rmSync(at('bundle'), { recursive: true })
  }
  expect(unpack(docker, 'docker-archive:-:other:1').stderr).toContain('standard input has no image "other:1"')
  expect(unpack(docker.subarray(0, 1600), '-')).toMatchObject({ status: 1 }) // within a layer
  expect(readdirSync(directory)).toEqual([])
})

test('nothing, and half of something, are errors', async () => {
  const tar = await rootfs()
  expect(unpack(Buffer.alloc(0))).toMatchObject({ status: 1, stderr: expect.stringContaining('has no files') })
  expect(unpack(tar.subarray(0, 300_000))).toMatchObject({ status: 1, stderr: expect.stringContaining('cut off') })
  expect(unpack(gzipSync(tar).subarray(0, -9))).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('a missing end'),
  })
  expect(readdirSync(directory)).toEqual([])
})

test('what export writes to a pipe, unpack reads from it', async () => {
  expect(unpack(await rootfs()).status).toBe(0)
  const pipe = `'${tool}' export '${at('bundle')}' | '${tool}' unpack rootfs:- --out '${at('again')}' -q`
  expect(spawnSync('sh', ['-c', pipe], { encoding: 'utf8' })).toMatchObject({ status: 0, stdout: '', stderr: '' })
  expect(readFileSync(at('again/rootfs/large'))).toEqual(readFileSync(at('bundle/rootfs/large')))
})
