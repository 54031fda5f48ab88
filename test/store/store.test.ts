import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { ociManifestType } from '../../src/oci/media-types.ts'
import { blobPath } from '../../src/store/blob-file.ts'
import { readLayoutIndex } from '../../src/store/layout.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { sha256 } from '../registry/fake-registry.ts'

const directory = mkdtempSync(join(tmpdir(), 'store-'))
afterAll(() => rmSync(directory, { recursive: true }))

let path: string
let store: Store
let count = 0
beforeEach(async () => {
  path = join(directory, `${count++}`)
  store = await openStore(path)
})

const describe = (content: Uint8Array): Descriptor => ({
  mediaType: 'application/octet-stream',
  digest: sha256(content),
  size: content.byteLength,
})

/** Yields `content` from a byte on, in pieces, and fails before `end` when that is given. */
function pieces(content: Uint8Array, end = content.byteLength, asked: number[] = []) {
  return async function* (from: number) {
    asked.push(from)
    for (let at = from; at < end; at += 65536) yield content.subarray(at, Math.min(at + 65536, end))
    if (end < content.byteLength) throw new Error('the line broke')
  }
}

async function collect(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Checks that a store is valid: its index can be read, and blobs have the content that their names promise. */
async function expectValid(at: string): Promise<void> {
  await readLayoutIndex(at)
  for (const name of readdirSync(join(at, 'blobs/sha256'))) {
    expect(
      createHash('sha256')
        .update(readFileSync(join(at, 'blobs/sha256', name)))
        .digest('hex'),
    ).toBe(name)
  }
}

test('a written blob can be read, and is stored only once', async () => {
  const content = randomBytes(3_000_000)
  const blob = describe(content)
  expect(await store.has(blob)).toBe(false)
  await store.write(blob, content)
  await store.write(blob, content)
  expect(await store.has(blob)).toBe(true)
  expect(content.equals(await collect(store.open(blob)))).toBe(true)
  expect(readdirSync(join(path, 'ingest'))).toEqual([])
})

test('an empty blob can be kept', async () => {
  const blob = describe(Buffer.alloc(0))
  await store.write(blob, Buffer.alloc(0))
  expect((await collect(store.open(blob))).byteLength).toBe(0)
})

test('a blob can be read while it arrives', async () => {
  const content = randomBytes(2_000_000)
  let release = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const ingest = store.ingest(describe(content), async function* () {
    yield content.subarray(0, 1_000_000)
    await gate
    yield content.subarray(1_000_000)
  })
  const reader = ingest.content()
  const first = await reader.next()
  expect(first.done).toBe(false)
  expect(await store.has(describe(content))).toBe(false)
  release()
  const rest = await collect(reader)
  expect(content.equals(Buffer.concat([first.value ?? Buffer.alloc(0), rest]))).toBe(true)
  await ingest.done
})

test.each<[string, (content: Buffer) => Buffer]>([
  ['other bytes', (content) => Buffer.concat([content.subarray(0, -1), Buffer.from([(content.at(-1) ?? 0) ^ 1])])],
  ['a byte too few', (content) => content.subarray(0, -1)],
  ['a byte too many', (content) => Buffer.concat([content, Buffer.alloc(1)])],
])('%s: nothing appears, reader and writer both fail, nothing is kept', async (_, damage) => {
  const content = randomBytes(1_000_000)
  const blob = describe(content)
  const ingest = store.ingest(blob, pieces(damage(content)))
  await expect(collect(ingest.content())).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  await expect(ingest.done).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  expect(await store.has(blob)).toBe(false)
  expect(readdirSync(join(path, 'ingest'))).toEqual([])
})

test('a fetch continues from the bytes that a broken one left', async () => {
  const content = randomBytes(3_000_000)
  const blob = describe(content)
  const asked: number[] = []
  await expect(store.ingest(blob, pieces(content, 1_234_567, asked)).done).rejects.toThrow('the line broke')
  const again = await openStore(path)
  const ingest = again.ingest(blob, pieces(content, content.byteLength, asked))
  expect(content.equals(await collect(ingest.content()))).toBe(true)
  await ingest.done
  expect(asked).toEqual([0, 1_234_567])
  expect(readdirSync(join(path, 'ingest'))).toEqual([])
})

test('damaged bytes of an earlier fetch are detected and discarded', async () => {
  const content = randomBytes(1_000_000)
  const blob = describe(content)
  writeFileSync(join(path, 'ingest', `sha256-${blob.digest.slice(7)}.partial`), Buffer.alloc(500_000))
  await expect(store.ingest(blob, pieces(content)).done).rejects.toMatchObject({
    code: 'ERR_DIGEST_MISMATCH',
    message: expect.stringContaining('500000 bytes of it were left by an earlier run'),
    hint: 'run the command again; it fetches the whole blob',
  })
  await store.ingest(blob, pieces(content)).done
  expect(content.equals(await collect(store.open(blob)))).toBe(true)
})

test.each([
  ['more than the blob has', 1_000_001],
  ['as many as the blob has, and wrong', 1_000_000],
])('bytes of an earlier fetch are discarded at once when they are %s', async (_, length) => {
  const content = randomBytes(1_000_000)
  const blob = describe(content)
  writeFileSync(join(path, 'ingest', `sha256-${blob.digest.slice(7)}.partial`), Buffer.alloc(length))
  const asked: number[] = []
  const ingest = store.ingest(blob, pieces(content, content.byteLength, asked))
  expect(content.equals(await collect(ingest.content()))).toBe(true)
  await ingest.done
  expect(asked).toEqual([0])
  expect(content.equals(await collect(store.open(blob)))).toBe(true)
})

test.each([0, 400, 1000])('content in memory is stored although an earlier run left %i bytes of it', async (length) => {
  const content = randomBytes(1000)
  const blob = describe(content)
  writeFileSync(join(path, 'ingest', `sha256-${blob.digest.slice(7)}.partial`), content.subarray(0, length))
  await store.write(blob, content)
  expect(content.equals(await collect(store.open(blob)))).toBe(true)
})

test('two ingests of one blob at once both succeed', async () => {
  const content = randomBytes(1_500_000)
  const blob = describe(content)
  const ingests = [store.ingest(blob, pieces(content)), (await openStore(path)).ingest(blob, pieces(content))]
  for (const ingest of ingests) expect(content.equals(await collect(ingest.content()))).toBe(true)
  await Promise.all(ingests.map(({ done }) => done))
  await expectValid(path)
})

test('a damaged blob is refused when read, and removed so that it is fetched anew', async () => {
  const content = randomBytes(1_000_000)
  const blob = describe(content)
  await store.write(blob, content)
  writeFileSync(blobPath(path, blob.digest), Buffer.alloc(content.byteLength))
  await expect(collect(store.open(blob))).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  expect(await store.has(blob)).toBe(false)
})

test('a truncated blob counts as missing', async () => {
  const content = randomBytes(1000)
  await store.write(describe(content), content)
  truncateSync(blobPath(path, describe(content).digest), 999)
  expect(await store.has(describe(content))).toBe(false)
})

test('a symlink in place of a blob is not followed (crane 7f937fe)', async () => {
  const secret = join(directory, 'secret')
  writeFileSync(secret, 'host file')
  const blob = describe(Buffer.from('host file'))
  symlinkSync(secret, blobPath(path, blob.digest))
  expect(await store.has(blob)).toBe(false)
  await expect(collect(store.open(blob))).rejects.toMatchObject({ code: 'ERR_STORE_INVALID' })
})

test('a name belongs to one manifest per platform, the newest first', async () => {
  const entry = (text: string, architecture: string): Descriptor => ({
    ...describe(Buffer.from(text)),
    mediaType: ociManifestType,
    platform: { os: 'linux', architecture },
  })
  await store.tag('docker.io/library/a:1', entry('x', 'amd64'))
  await store.tag('docker.io/library/a:1', entry('y', 'arm64'))
  await store.tag('docker.io/library/b:1', entry('x', 'amd64'))
  await store.tag('docker.io/library/a:1', entry('z', 'amd64'))
  const found = await store.find('docker.io/library/a:1')
  expect(found.map(({ digest }) => digest)).toEqual([sha256('z'), sha256('y')])
  expect((await readLayoutIndex(path)).manifests).toHaveLength(3)
})

test('many tags at once are all kept', async () => {
  const stores = await Promise.all([openStore(path), openStore(path), openStore(path)])
  const names = Array.from({ length: 30 }, (_, index) => `name${index}`)
  const manifest = { ...describe(Buffer.from('m')), mediaType: ociManifestType }
  await Promise.all(names.map((name, index) => stores[index % 3]?.tag(name, manifest)))
  for (const name of names) expect(await store.find(name)).toHaveLength(1)
})

test('a lock whose owner died is removed', async () => {
  writeFileSync(join(path, 'index.lock'), '999999999-1')
  await store.tag('n', { ...describe(Buffer.from('m')), mediaType: ociManifestType })
  expect(await store.find('n')).toHaveLength(1)
  expect(readdirSync(path).filter((name) => name.startsWith('index.lock'))).toEqual([])
})

test('a directory with other files does not become a store', async () => {
  const other = join(directory, 'other')
  mkdirSync(other)
  writeFileSync(join(other, 'thesis.txt'), '')
  await expect(openStore(other)).rejects.toMatchObject({ code: 'ERR_STORE_INVALID' })
  expect(readdirSync(other)).toEqual(['thesis.txt'])
})

test('another layout version is refused', async () => {
  const other = join(directory, 'future')
  mkdirSync(other)
  writeFileSync(join(other, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}')
  await expect(openStore(other)).rejects.toMatchObject({ code: 'ERR_SOURCE_INVALID' })
})

/** The program that is killed: it adds blobs and tags to a store for ever. */
const filler = `
const { openStore } = await import(process.argv[1])
const { createHash, randomBytes } = await import('node:crypto')
const store = await openStore(process.argv[2])
for (let i = 0; ; i++) {
  const content = randomBytes(300_000)
  const digest = 'sha256:' + createHash('sha256').update(content).digest('hex')
  const blob = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: content.byteLength }
  await store.ingest(blob, async function* (from) {
    for (let at = from; at < content.byteLength; at += 50_000) yield content.subarray(at, at + 50_000)
  }).done
  await store.tag('n' + i % 5, blob)
  if (i === 0) console.log('running')
}`

test('a kill -9 at any moment leaves a valid store', async () => {
  const module = join(import.meta.dirname, '../../dist/store/store.js')
  for (let round = 0; round < 15; round++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', filler, module, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 40))
    child.kill('SIGKILL')
    await once(child, 'exit')
    await expectValid(path)
  }
  const after = await openStore(path)
  const entries = (await Promise.all(['n0', 'n1'].map((name) => after.find(name)))).flat()
  expect(entries.length).toBeGreaterThan(0)
  for (const entry of entries) await collect(after.open(entry))
  await after.tag('last', entries[0] ?? describe(Buffer.alloc(0)))
  expect(readdirSync(path).sort()).toEqual(['blobs', 'index.json', 'ingest', 'oci-layout'])
})
