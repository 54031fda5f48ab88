import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { sha256, startRegistry } from '../registry/fake-registry.ts'
import { makeImage, makeLayer, makeTar } from '../source/build-image.ts'
import { tool } from './engine-place.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'interrupt-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))
const at = (name: string) => join(directory, name)

/** Starts the command, with a pipe to its standard input. */
function start(...args: readonly string[]) {
  const child = spawn(tool, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, HOME: directory } })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (text) => (output.stdout += text))
  child.stderr.on('data', (text) => (output.stderr += text))
  child.stdin.on('error', () => {})
  return { child, output, ended: once(child, 'close').then(([status, signal]) => signal ?? status) }
}

const patience = { timeout: 30_000, interval: 20 }

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  'a pull stopped by %s says how to go on, and the next one does',
  async (signal) => {
    const large = randomBytes(3_000_000)
    const image = makeImage([await makeLayer({ small: 's' }), await makeLayer({ large })])
    const blob = image.layers[1]?.blob ?? Buffer.alloc(0)
    let isStalling = true
    await using registry = await startRegistry((request, response) => {
      if (!isStalling || !request.url?.endsWith(sha256(blob))) return undefined
      response.writeHead(200, { 'content-length': blob.length })
      response.write(blob.subarray(0, 1_500_000))
      return true
    })
    for (const content of [image.config, ...image.layers.map((layer) => layer.blob)]) registry.addBlob(content)
    registry.addManifest('app', '1', image.manifest.toString())
    const args = ['pull', `${registry.host}/app:1`, '--out', at('bundle'), '--store', at('store')]
    const options = ['--platform', 'linux/amd64', '--quiet']
    const stopped = start(...args, ...options)
    const ingest = at('store/ingest')
    await vi.waitFor(() => {
      const sizes = readdirSync(ingest).map((name) => statSync(join(ingest, name)).size)
      expect(Math.max(...sizes)).toBeGreaterThan(500_000)
    }, patience)
    stopped.child.kill(signal)
    expect(await stopped.ended).toBe(signal)
    expect(stopped.output.stdout).toBe('')
    expect(stopped.output.stderr).toMatch(
      /^error: .*\n {2}hint: what has been fetched is kept: run the same command again to go on\n$/,
    )
    expect(readdirSync(directory)).toEqual(['store'])

    isStalling = false
    const again = start(...args, ...options)
    expect(await again.ended).toBe(0)
    expect(readFileSync(at('bundle/rootfs/large')).equals(large)).toBe(true)
    const ranges = registry.requests.flatMap(({ headers }) => headers.range ?? [])
    expect(ranges).toEqual([expect.stringMatching(/^bytes=\d{6,7}-$/)])
  },
)

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  'an unpack that %s stops while it waits leaves nothing',
  async (signal) => {
    const tar = await makeTar({ large: 'x'.repeat(200_000), more: 'y'.repeat(100_000) })
    const { child, output, ended } = start('unpack', 'rootfs:-', '--out', at('bundle'), '--quiet')
    child.stdin.write(tar.subarray(0, 150_000))
    await vi.waitFor(() => expect(readdirSync(directory)).toHaveLength(1), patience)
    child.kill(signal)
    expect({ status: await ended, ...output }).toEqual({
      status: signal,
      stdout: '',
      stderr: expect.stringMatching(/^error: .*\n$/),
    })
    expect(readdirSync(directory)).toEqual([])
    expect(existsSync(at('bundle'))).toBe(false)
  },
)
