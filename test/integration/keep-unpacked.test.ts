import { execFileSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import type { PullOptions } from '../../src/verbs/image/pull.ts'
import { describeTree } from '../layer/oracle.ts'
import { directory as directoryEntry, file, hardlink, pax, symlink, tar } from '../layer/tar/builder.ts'
import { library } from '../library.ts'
import { type FakeRegistry, sha256, startRegistry } from '../registry/fake-registry.ts'
import { requires } from '../requirements.ts'
import { makeImage, type TestImage } from '../source/build-image.ts'

const { prune, pull, removeImage } = library

process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'keep-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** One layer with every kind of file, in `top`. */
function serve(registry: FakeRegistry, text = 'text'): TestImage {
  const archive = tar(
    directoryEntry('d', { mode: 0o2750, uid: 5, mtime: 1_500_000_000 }),
    file('d/setuid', 'x', { mode: 0o4755, uid: 0, gid: 7, mtime: 3 }),
    hardlink('d/again', 'd/setuid'),
    symlink('d/link', 'nowhere', { uid: 9, mtime: 5 }),
    file('null', '', { type: '3', major: 1, minor: 3, mode: 0o666 }),
    file('fifo', '', { type: '6', mode: 0o600 }),
    pax({ mtime: '7.000000009', 'SCHILY.xattr.user.test': 'value' }),
    file('text', text, { mode: 0o000 }),
    directoryEntry('closed', { mode: 0o000 }),
    file('large', 'y'.repeat(200_000)),
  )
  const image = makeImage([
    {
      blob: archive,
      diffID: sha256(archive),
      descriptor: {
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        digest: sha256(archive),
        size: archive.length,
      },
    },
  ])
  for (const blob of [image.config, archive]) registry.addBlob(blob)
  registry.addManifest('app', '1', image.manifest.toString())
  return image
}

const { test: rootTest } = requires('root')

/** Pulls into `top`, and says how many layers were applied. */
async function pullInto(top: string, registry: FakeRegistry, name: string, options: Partial<PullOptions> = {}) {
  let applied = 0
  const place = { out: join(top, name), store: join(top, 'store'), env: {}, platform: 'linux/amd64' }
  await pull(`${registry.host}/app:1`, { ...place, onLayer: () => (applied += 1), ...options })
  return applied
}

async function expectCopies(top: string): Promise<void> {
  await using registry = await startRegistry()
  serve(registry)
  expect(await pullInto(top, registry, 'first')).toBe(1)
  expect(await pullInto(top, registry, 'second', { keepUnpacked: true })).toBe(1)
  expect(await pullInto(top, registry, 'third')).toBe(0)
  expect(await pullInto(top, registry, 'fourth')).toBe(0)
  const [first, third, fourth] = ['first', 'third', 'fourth'].map((name) => join(top, name, 'rootfs'))
  if (first === undefined || third === undefined || fourth === undefined) throw new Error('there are three')
  expect(describeTree(third)).toEqual(describeTree(first))
  expect(readFileSync(join(top, 'third/config.json'))).toEqual(readFileSync(join(top, 'first/config.json')))
  // Changes of one bundle's container are seen in no other bundle.
  writeFileSync(join(third, 'text'), 'changed')
  truncateSync(join(third, 'large'), 3)
  rmSync(join(third, 'd'), { recursive: true })
  expect(describeTree(fourth)).toEqual(describeTree(first))
  const inodes = [first, third, fourth].map((rootfs) => lstatSync(join(rootfs, 'text')).ino)
  expect(new Set(inodes).size).toBe(3)
  expect(await pullInto(top, registry, 'fifth')).toBe(0)
  expect(describeTree(join(top, 'fifth/rootfs'))).toEqual(describeTree(first))
}

rootTest('with keepUnpacked the next bundle is a copy, the same in every respect, and shares no inode', () =>
  expectCopies(directory),
)

requires('root', 'mkfs.xfs').test('on XFS the copies share their data, and are as independent', async (context) => {
  const [image, top] = [join(directory, 'image'), join(directory, 'xfs')]
  writeFileSync(image, '')
  truncateSync(image, 512 * 2 ** 20)
  mkdirSync(top)
  execFileSync('mkfs.xfs', ['-q', image])
  try {
    execFileSync('mount', ['-o', 'loop', image, top], { stdio: 'pipe' })
  } catch {
    context.skip('XFS cannot be mounted by a loop device here')
  }
  try {
    await expectCopies(top)
    // The blocks of a file of the tree that is kept are those of the bundles too.
    const [tree = ''] = readdirSync(join(top, 'store/unpacked'))
    const blocks = (path: string) => execFileSync('filefrag', ['-v', path], { encoding: 'utf8' })
    expect(blocks(join(top, 'store/unpacked', tree, 'large'))).toContain('shared')
  } finally {
    execFileSync('umount', [top])
  }
})

rootTest('a copy is of the same image, applied in the same way, within no limits of its own', async () => {
  await using registry = await startRegistry()
  serve(registry)
  await pullInto(directory, registry, 'first', { keepUnpacked: true })
  expect(await pullInto(directory, registry, 'strict', { strictOverlay: true })).toBe(1)
  expect(await pullInto(directory, registry, 'limited', { limits: { maxFiles: 100 } })).toBe(1)
  serve(registry, 'other')
  expect(await pullInto(directory, registry, 'other')).toBe(1)
  expect(readFileSync(join(directory, 'other/rootfs/text'), 'utf8')).toBe('other')
})

rootTest('what cannot be copied is unpacked', async () => {
  await using registry = await startRegistry()
  serve(registry)
  await pullInto(directory, registry, 'first', { keepUnpacked: true })
  const trees = join(directory, 'store/unpacked')
  const [tree = ''] = readdirSync(trees)
  rmSync(join(trees, tree), { recursive: true })
  writeFileSync(join(trees, tree), 'no directory')
  expect(await pullInto(directory, registry, 'second')).toBe(1)
  expect(readFileSync(join(directory, 'second/rootfs/d/setuid'), 'utf8')).toBe('x')
})

rootTest(
  'prune removes what is kept of images that are gone, and what earlier boots and killed processes left',
  async () => {
    await using registry = await startRegistry()
    const { digest } = serve(registry).manifestDescriptor
    await pullInto(directory, registry, 'first', { keepUnpacked: true })
    const trees = join(directory, 'store/unpacked')
    const [tree = ''] = readdirSync(trees)
    const boot = tree.split('-')[2] ?? ''
    const left = [tree.replace(boot, '0123'), `${tree}.1234567-1`, 'foreign']
    for (const name of left) mkdirSync(join(trees, name))
    const store = { store: join(directory, 'store'), env: {} }
    await prune(store)
    expect(readdirSync(trees)).toEqual([tree])
    await removeImage(digest, store)
    expect(readdirSync(trees)).toEqual([])
    expect(existsSync(join(directory, 'first/rootfs/text'))).toBe(true)
  },
)
