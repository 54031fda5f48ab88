import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { attributes, describeTree, writeLayout } from '../layer/oracle.ts'
import { directory, file, hardlink, symlink, tar } from '../layer/tar/builder.ts'
import { library } from '../library.ts'
import { requires } from '../requirements.ts'

const { diff, exportRootfs, repack, unpack } = library

process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')

let top = ''
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'repack-'))
  writeLayout(at('oci'), layers)
})
afterEach(() => rmSync(top, { recursive: true }))

const at = (name: string): string => join(top, name)
const rootfs = (name: string): string => at(`bundle/rootfs/${name}`)

const layers = [
  tar(
    ...['bin', 'etc', 'usr', 'usr/lib'].map((name) => directory(name)),
    file('bin/sh', 'shell', { mode: 0o755 }),
    hardlink('bin/ash', 'bin/sh'),
    file('etc/passwd', 'root'),
    file('etc/old', 'old'),
    file('usr/lib/a', 'a'),
    file('usr/lib/b', 'b'),
    symlink('lib', 'usr/lib'),
    directory('tree'),
    file('tree/leaf', 'x'),
  ),
  tar(file('etc/upper', 'u'), file('etc/.wh.old')),
]

const unpackTo = (name: string, tag = 'latest') => unpack(`oci:${at('oci')}:${tag}`, { out: at(name) })

const repacked = (options: Partial<Parameters<typeof repack>[0]> = {}) =>
  repack({ bundle: at('bundle'), image: `oci:${at('oci')}:new`, store: at('store'), env: {}, ...options })

async function exported(bundle: string): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of exportRootfs({ bundle })) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces).toString('hex')
}

const blob = (digest: string) => JSON.parse(readFileSync(at(`oci/blobs/${digest.replace(':', '/')}`), 'utf8'))

/** Something of each kind of change. */
function changeEverything(): void {
  rmSync(rootfs('tree'), { recursive: true })
  rmSync(rootfs('usr/lib/a'))
  writeFileSync(rootfs('etc/passwd'), 'toor') // same size
  utimesSync(rootfs('etc/passwd'), 0, 0)
  utimesSync(rootfs('etc'), 0, 0)
  chmodSync(rootfs('usr/lib/b'), 0o4711)
  linkSync(rootfs('bin/sh'), rootfs('bin/bash'))
  renameSync(rootfs('etc/upper'), rootfs('caf\u00e9'))
  rmSync(rootfs('lib'))
  mkdirSync(rootfs('lib/sub'), { recursive: true })
  symlinkSync('../etc', rootfs('lib/etc'))
  writeFileSync(rootfs('lib/sparse'), '')
  truncateSync(rootfs('lib/sparse'), 5_000_000)
  mkdirSync(rootfs('tree'))
  chmodSync(rootfs('tree'), 0o2770)
}

test('unpacking what was repacked gives the same rootfs', async () => {
  await unpackTo('bundle')
  changeEverything()
  const { digest, layer } = await repacked({ created: new Date(0) })
  expect(layer?.digest).toMatch(/^sha256:/)
  await unpackTo('again', 'new')
  expect(await exported(at('again'))).toBe(await exported(at('bundle')))
  const manifest = blob(digest)
  expect(manifest.layers).toHaveLength(3)
  expect(blob(manifest.config.digest)).toMatchObject({
    created: '1970-01-01T00:00:00Z',
    history: [{ created: '1970-01-01T00:00:00Z', created_by: 'bundle-tool repack' }],
  })
  expect(readdirSync(top).sort()).toEqual(['again', 'bundle', 'oci'])
})

requires('root itself', 'umoci', 'skopeo', 'setfattr').test(
  'umoci unpacks it to the same, and skopeo reads it',
  async () => {
    await unpackTo('bundle')
    changeEverything()
    chownSync(rootfs('bin/sh'), 7, 8)
    execFileSync('mknod', [rootfs('bin/null'), 'c', '1', '3'])
    execFileSync('setfattr', ['-n', 'user.note', '-v', 'x', rootfs('usr/lib')])
    await repacked({ changes: ['CMD ["/bin/bash"]', 'ENV A=b'], message: 'by hand' })
    execFileSync('umoci', ['unpack', '--image', `${at('oci')}:new`, at('theirs')], { stdio: 'pipe' })
    expect(describeTree(at('theirs/rootfs'))).toEqual(describeTree(at('bundle/rootfs')))
    expect(attributes(at('theirs/rootfs'))).toEqual(attributes(at('bundle/rootfs')))
    const inspected = execFileSync('skopeo', ['inspect', '--config', `oci:${at('oci')}:new`], { encoding: 'utf8' })
    expect(JSON.parse(inspected)).toMatchObject({
      config: { Cmd: ['/bin/bash'], Env: ['A=b'] },
      history: [{ created_by: 'by hand' }],
    })
  },
)

test('a bundle that is as its image gives the image itself, and one changed config no layer', async () => {
  await unpackTo('bundle')
  const unchanged = await repacked()
  expect(unchanged.layer).toBeUndefined()
  expect(JSON.parse(readFileSync(at('bundle/image.json'), 'utf8')).manifest).toBe(unchanged.digest)
  const relabelled = await repacked({ changes: ['LABEL a=b'] })
  expect(blob(relabelled.digest).layers).toEqual(blob(unchanged.digest).layers)
  expect(blob(blob(relabelled.digest).config.digest)).toMatchObject({
    config: { Labels: { a: 'b' } },
    history: [{ empty_layer: true }],
  })
})

test('the same changes at the same time give the same digest', async () => {
  await unpackTo('bundle')
  writeFileSync(rootfs('new'), 'x')
  const env = { SOURCE_DATE_EPOCH: '1700000000' }
  const first = await repacked({ env })
  const second = await repacked({ env, image: `oci:${at('elsewhere')}:new`, base: `oci:${at('oci')}:latest` })
  expect(second.digest).toBe(first.digest)
  await unpack(`oci:${at('elsewhere')}:new`, { out: at('again') })
  expect(await exported(at('again'))).toBe(await exported(at('bundle')))
})

test('a bundle that was copied compares by what is in it, not by when it was made', async () => {
  await unpackTo('bundle')
  execFileSync('cp', ['-a', at('bundle'), at('copy')])
  expect(await repacked({ bundle: at('copy') })).toMatchObject({ layer: undefined })
})

test('without the image there is nothing to compare with', async () => {
  await unpackTo('bundle')
  const image = `oci:${at('other')}:x`
  const notFound = (message: RegExp, hint: RegExp) =>
    expect.objectContaining({
      code: 'ERR_IMAGE_NOT_FOUND',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    })
  await expect(repacked({ image })).rejects.toThrow(notFound(/ is not in .*other or .*store$/, /--base/))
  rmSync(at('bundle/image.json'))
  await expect(repacked()).rejects.toThrow(notFound(/does not say what image it was made of/, /--base/))
  writeFileSync(at('bundle/image.json'), '{"manifest":"../../etc/passwd"}')
  await expect(repacked()).rejects.toThrow(expect.objectContaining({ code: 'ERR_BUNDLE_INVALID' }))
})

test.each([
  ['docker://x', 'ERR_USAGE'],
  ['oci:dir', 'ERR_USAGE'],
])('%s is no image to write', async (image, code) => {
  await unpackTo('bundle')
  await expect(repacked({ image })).rejects.toThrow(expect.objectContaining({ code }))
})

test('a failure leaves the layout as it was, and nothing beside the bundle', async () => {
  await unpackTo('bundle')
  writeFileSync(rootfs('.wh.never'), '')
  const index = readFileSync(at('oci/index.json'), 'utf8')
  await expect(repacked()).rejects.toThrow('a layer cannot hold ".wh.never"')
  expect(readFileSync(at('oci/index.json'), 'utf8')).toBe(index)
  expect(readdirSync(top).sort()).toEqual(['bundle', 'oci'])
})

test('diff lists what repack makes a layer of, as docker diff', async () => {
  await unpack(`oci:${at('oci')}`, { out: at('bundle') })
  const before = await diff({ bundle: at('bundle'), base: `oci:${at('oci')}` })
  expect(before).toEqual([])
  writeFileSync(rootfs('new'), 'x')
  const [first = ''] = readdirSync(rootfs('')).filter((name) => name !== 'new')
  rmSync(rootfs(first), { recursive: true })
  const changes = await diff({ bundle: at('bundle'), base: `oci:${at('oci')}` })
  expect(changes).toContainEqual({ kind: 'added', path: '/new' })
  expect(changes).toContainEqual({ kind: 'deleted', path: `/${first}` })
  expect(changes.filter(({ path }) => path.startsWith(`/${first}/`))).toEqual([])
  const tool = join(import.meta.dirname, '../../dist/bundle-tool')
  const said = execFileSync(tool, ['diff', '--base', `oci:${at('oci')}`, at('bundle')], { encoding: 'utf8' })
  const letter = { added: 'A', changed: 'C', deleted: 'D' }
  expect(said).toBe(changes.map(({ kind, path }) => `${letter[kind]} ${path}\n`).join(''))
  expect(readdirSync(top).sort()).toEqual(['bundle', 'oci'])
})
