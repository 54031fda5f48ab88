import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startRegistry } from '../registry/fake-registry.ts'
import { dockerFiles, layoutFiles, makeImage, makeLayer, makeTar, writeFiles } from '../source/build-image.ts'
import { forms, ImageCommands } from './image-command.ts'

const [form] = Object.entries(forms)
  .filter(([name]) => name.startsWith('dist/'))
  .map(([, words]) => words)
const here = new ImageCommands()
const run = (...args: readonly string[]) => here.run(form ?? [], args)
const withoutTime = (text: string): string => text.replace(/^time="[^"]*" /, '')

let digest: string
beforeAll(async () => {
  const image = makeImage([await makeLayer({ file: 'content' })])
  digest = image.manifestDescriptor.digest
  writeFiles(here.at('layout'), layoutFiles({ one: image }))
  writeFileSync(here.at('oci.tar'), await makeTar(layoutFiles({ one: image })))
  writeFileSync(here.at('saved.tar.gz'), gzipSync(await makeTar(dockerFiles([{ tags: ['one:1'], image }]))))
  writeFileSync(here.at('files.tar'), await makeTar({ file: 'content' }))
  mkdirSync(here.at('empty'))
})
afterAll(() => here[Symbol.dispose]())

describe('a name that is a place is sent to no registry', () => {
  const paths = ['./x.tar', '../x', '/x', 'x.tar', 'x.tar.gz', 'below/x.tgz', '.', 'X.TAR.XZ']
  const sources = ['oci:foo', 'oci-archive:x', 'docker-archive:x', 'docker-daemon:x', 'rootfs:x']

  test.each([...paths, ...sources])('pull %s says how to unpack it', async (name) => {
    const what = paths.includes(name) ? 'a file or directory' : 'a place on this host'
    for (const written of [name, `docker://${name}`]) {
      expect(await run('pull', written, '--out', 'bundle')).toEqual({
        status: 1,
        stdout: '',
        stderr: `error: "${name}" is ${what}, not an image in a registry\n  hint: use "bundle-tool unpack ${name} --out bundle"\n`,
      })
    }
  })

  test.each([
    [['pull', 'dir:x', '--out', 'bundle']],
    [['pull', 'containers-storage:x', '--out', 'bundle']],
    [['inspect', 'dir:x']],
    [['list-tags', 'dir:x']],
    [['copy', 'dir:x', 'oci:y']],
    [['copy', 'oci:layout', 'dir:x']],
    [['unpack', 'dir:x', '--out', 'bundle']],
    [['push', 'dir:x']],
    [['export', 'dir:x', '-o', 'y']],
  ])('%j leads to the tool that knows such places', async (args) => {
    const { status, stderr } = await run(...args)
    expect(status).toBeGreaterThan(0)
    expect(stderr).toMatch(
      /^error: .*\n {2}hint: copy it with "skopeo copy (dir|containers-storage):x oci:DIRECTORY:TAG"/,
    )
  })

  test('push says how to name what is pushed', async () => {
    expect((await run('push', './x.tar')).stderr).toContain(
      'hint: name a registry, and what to push with --from ./x.tar\n',
    )
  })

  test('a missing file is no image either', async () => {
    for (const command of ['inspect', 'list-tags']) {
      const { stderr } = await run(command, 'missing.tar')
      expect(stderr).toContain('error: cannot read missing.tar: ENOENT\n')
    }
    expect((await run('export', './missing.tar', '-o', 'y')).stderr).toContain('cannot read ./missing.tar: ENOENT')
    expect((await run('unpack', 'missing', '--out', 'y')).stderr).toContain(
      '"bundle-tool pull" takes images of a registry',
    )
  })

  test('with its registry, an image may have such a name', async () => {
    await using registry = await startRegistry()
    await run('pull', `${registry.host}/library/oci:foo`, '--out', 'bundle')
    await run('pull', `${registry.host}/x.tar`, '--out', 'bundle')
    const asked = registry.requests.map(({ path }) => path)
    expect(asked).toContain('/v2/library/oci/manifests/foo')
    expect(asked).toContain('/v2/x.tar/manifests/latest')
  })
})

describe('the kind of a file is found by looking into it', () => {
  test.each(['./layout', 'oci.tar', './oci.tar', 'saved.tar.gz'])('%s', async (name) => {
    const inspected = await run('inspect', '--json', name, '--platform', 'linux/amd64')
    expect(inspected).toMatchObject({ status: 0, stderr: '' })
    const { image } = JSON.parse(inspected.stdout)
    expect(image.layers).toHaveLength(1)
    if (name !== 'saved.tar.gz') expect(image.digest).toBe(digest)
    const tags = await run('list-tags', name)
    expect(tags).toEqual({
      status: 0,
      stderr: '',
      stdout: expect.stringMatching(/^(?:docker.io\/library\/)?one(?::1)?\n$/),
    })
    const copied = await run('copy', name, 'oci:copied:one', '--platform', 'linux/amd64', '--quiet')
    expect(copied).toEqual({ status: 0, stderr: '', stdout: `${image.digest}\n` })
  })

  test('what has no image says so', async () => {
    const hint = (name: string) => `  hint: make a bundle of it with "bundle-tool unpack ${name} --out BUNDLE"\n`
    for (const name of ['files.tar', 'rootfs:files.tar']) {
      for (const command of ['inspect', 'list-tags']) {
        expect(await run(command, name)).toEqual({
          status: 1,
          stdout: '',
          stderr: `error: ${name} has the files of a rootfs, as "docker export" writes them, and no image\n${hint(name)}`,
        })
      }
    }
    expect((await run('inspect', './empty')).stderr).toContain('./empty is a directory and not an OCI image layout')
  })

  test('policy.json is heeded as with the word before the name', async () => {
    writeFileSync(here.at('policy'), '{"default": [{"type": "reject"}]}')
    for (const name of ['./layout', 'oci.tar', 'saved.tar.gz']) {
      const { status, stderr } = await run('copy', name, 'oci:refused', '--policy', 'policy')
      expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('policy') })
    }
  })
})

describe('a runtime command without a bundle says how to get one', () => {
  const advice = 'make a bundle with "bundle-tool pull IMAGE --out bundle" and name it with "-b bundle"'
  test.each([
    [['run', 'alpine'], advice],
    [['create', 'alpine'], advice],
    [['run', 'alpine', 'sh'], advice],
    [['explain', 'alpine'], advice],
    [['repack', 'alpine', '--image', 'oci:x:y'], advice],
    [
      ['run', 'alpine:3.20'],
      'make a bundle with "bundle-tool pull alpine:3.20 --out bundle" and name that with "-b bundle"',
    ],
    [['create', 'quay.io/a/b'], 'make a bundle with "bundle-tool pull quay.io/a/b --out bundle"'],
    [['spec', '-b', 'nope'], 'make one with "bundle-tool pull IMAGE --out nope"'],
  ])('%j', async (args, expected) => {
    for (const words of Object.values(forms)) {
      const { status, stderr } = await here.run(words, args)
      expect(status).toBe(1)
      expect(withoutTime(stderr).replaceAll('\\"', '"')).toContain(expected)
    }
  })
})

describe('"-" in the place of a file to be written is standard output', () => {
  test('of export', async () => {
    for (const flags of [['-o', '-'], ['--output=-'], []]) {
      const exported = spawnSync(form?.[0] ?? '', ['export', 'oci.tar', '--platform', 'linux/amd64', ...flags], {
        cwd: here.directory,
      })
      expect({ status: exported.status, stderr: exported.stderr.toString() }).toEqual({ status: 0, stderr: '' })
      expect(exported.stdout.subarray(257, 262).toString()).toBe('ustar')
    }
  })

  test.each(['oci-archive', 'docker-archive'])('of copy to %s', async (kind) => {
    const args = ['copy', 'oci.tar', '--platform', 'linux/amd64', '--quiet']
    const [file, piped] = [`${kind}:file-${kind}.tar:one`, `${kind}:-:one`].map((target) =>
      spawnSync(form?.[0] ?? '', [...args, target], { cwd: here.directory }),
    )
    expect(file?.status).toBe(0)
    expect({ status: piped?.status, stderr: piped?.stderr.toString() }).toEqual({ status: 0, stderr: `${digest}\n` })
    expect(piped?.stdout.equals(readFileSync(here.at(`file-${kind}.tar`)))).toBe(true)
  })

  test('a bundle is none', async () => {
    for (const command of ['pull', 'unpack']) {
      const { status, stderr } = await run(command, 'oci.tar', '-o', '-')
      expect({ status, stderr }).toEqual({
        status: 2,
        stderr: expect.stringContaining('"bundle-tool export IMAGE -o -" writes an archive'),
      })
    }
  })
})
