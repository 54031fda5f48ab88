import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { sendError, sha256, startRegistry } from '../registry/fake-registry.ts'
import {
  dockerFiles,
  layoutFiles,
  makeImage,
  makeLayer,
  makeTar,
  type TestImage,
  writeFiles,
} from '../source/build-image.ts'
import { forms, ImageCommands, serve } from './image-command.ts'

const form = forms['bin/bundle-tool.js'] ?? []
const here = new ImageCommands()
const run = (...args: readonly string[]) => here.run(form, args)
let image: TestImage
let other: TestImage
beforeAll(async () => {
  image = makeImage([await makeLayer({ file: 'x' })])
  other = makeImage(image.layers, { architecture: 'arm64', cmd: ['other'] })
})
afterEach(() => {
  for (const name of ['bundle', 'store', 'layout', 'copy']) rmSync(here.at(name), { recursive: true, force: true })
})
afterAll(() => here[Symbol.dispose]())

const indexType = 'application/vnd.oci.image.index.v1+json'
const indexOf = (...images: readonly TestImage[]) => ({
  schemaVersion: 2,
  mediaType: indexType,
  manifests: images.map(({ manifestDescriptor }) => manifestDescriptor),
})

describe('tag', () => {
  test('gives an image of the store a further name, which push finds', async () => {
    await using registry = await startRegistry()
    serve(registry, image)
    const name = `${registry.host}/app:1`
    await run('pull', '--quiet', name, '--out', 'bundle', '--store', 'store')
    expect(await run('tag', '--store', 'store', name, `${registry.host}/new:2`)).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    })
    const listed = (await run('images', '--store', 'store')).stdout
    expect(listed).toContain(name)
    expect(listed).toContain(`${registry.host}/new:2`)
    expect(await run('push', '--quiet', '--store', 'store', `${registry.host}/new:2`)).toMatchObject({ status: 0 })
    const digest = sha256(image.manifest)
    expect(await run('digest', `${registry.host}/new:2`)).toMatchObject({ stdout: `${digest}\n` })
    expect(await run('tag', '--json', '--store', 'store', digest, 'by-digest')).toMatchObject({
      stdout: `${JSON.stringify({ name: 'docker.io/library/by-digest:latest', digest })}\n`,
    })
    await run('rmi', '--store', 'store', name)
    expect((await run('images', '--store', 'store')).stdout).not.toContain('app:1')
    expect(await run('verify', '--store', 'store')).toMatchObject({ status: 0 })
  })

  test('refuses what the store does not have, and a name that is none', async () => {
    expect(await run('tag', '--store', 'store', 'nowhere', 'app')).toMatchObject({
      status: 1,
      stderr:
        'error: the store has no image docker.io/library/nowhere:latest\n  hint: "bundle-tool images" lists what it has\n',
    })
    expect(await run('tag', '--store', 'store', 'app', `app@${sha256('')}`)).toMatchObject({ status: 2 })
    expect(await run('tag', '--store', 'store', 'app', 'Not A Name')).toMatchObject({ status: 1 })
  })
})

test('digest prints that of an index, and of the image for a platform', async () => {
  await using registry = await startRegistry()
  for (const one of [image, other]) serve(registry, one)
  const { digest } = registry.addManifest('app', 'all', indexOf(image, other), indexType)
  const name = `${registry.host}/app:all`
  expect(await run('digest', name)).toEqual({ status: 0, stdout: `${digest}\n`, stderr: '' })
  expect((await run('digest', '--platform', 'linux/arm64', name)).stdout).toBe(`${sha256(other.manifest)}\n`)
  expect(await run('digest', '--platform', 'linux/s390x', name)).toMatchObject({ status: 1, stdout: '' })
  expect(JSON.parse((await run('digest', '--json', name)).stdout)).toEqual({ name, digest, mediaType: indexType })
})

test('inspect --config prints the image config as it is', async () => {
  await using registry = await startRegistry()
  for (const one of [image, other]) serve(registry, one)
  registry.addManifest('app', 'all', indexOf(image, other), indexType)
  const name = `${registry.host}/app:all`
  const config = await run('inspect', '--config', '--platform', 'linux/arm64', name)
  expect(config).toEqual({ status: 0, stdout: other.config.toString(), stderr: '' })
  const amd64 = await run('inspect', '--config', '--platform', 'linux/amd64', name)
  expect(amd64.stdout).toBe(image.config.toString())
})

/** Runs a command with bytes on its standard input. */
async function runWithInput(input: Uint8Array, ...args: readonly string[]) {
  const [program = '', ...words] = [...form, '--root', here.at('root'), ...args]
  const env = { PATH: process.env.PATH, HOME: here.directory, TMPDIR: process.env.TMPDIR }
  const child = spawn(program, words, { cwd: here.directory, stdio: 'pipe', env })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text) => (stdout += text))
  child.stderr.on('data', (text) => (stderr += text))
  child.stdin.on('error', () => {}).end(input)
  const [status] = await once(child, 'close')
  return { status, stdout, stderr }
}

describe.each(['plain', 'compressed'])('an archive on standard input, %s', (form) => {
  const packed = async (files: Parameters<typeof makeTar>[0]) => {
    const tar = await makeTar(files)
    return form === 'plain' ? tar : gzipSync(tar)
  }

  test('is copied, inspected and listed', async () => {
    const docker = await packed(dockerFiles([{ tags: ['app:1', 'app:2'], image }]))
    const layout = await packed(layoutFiles({ one: image, two: other }))
    for (const [input, source] of [
      [docker, '-'],
      [docker, 'docker-archive:-'],
      [docker, 'docker-archive:-:app:2'],
      [layout, 'oci-archive:-:one'],
    ] as const) {
      expect(await runWithInput(input, 'copy', '--quiet', source, 'oci:copy:x'), source).toMatchObject({
        status: 0,
        stderr: '',
      })
      expect(await run('unpack', '--quiet', '--force', 'oci:copy:x', '--out', 'bundle')).toMatchObject({ status: 0 })
      expect(readFileSync(here.at('bundle/rootfs/file'), 'utf8')).toBe('x')
    }
    expect((await runWithInput(layout, 'inspect', '--raw', 'oci-archive:-:two')).stdout).toBe(other.manifest.toString())
    expect((await runWithInput(layout, 'inspect', '--config', 'oci-archive:-:two')).stdout).toBe(
      other.config.toString(),
    )
    expect((await runWithInput(docker, 'list-tags', '-')).stdout).toBe('app:1\napp:2\n')
    expect((await runWithInput(layout, 'digest', 'oci-archive:-:two')).stdout).toBe(`${sha256(other.manifest)}\n`)
  })

  test('that is none is an error', async () => {
    const { status, stderr } = await runWithInput(await packed({ file: 'x' }), 'copy', '-', 'oci:copy:x')
    expect(status).toBe(1)
    expect(stderr).toMatch(/^error: - has the files of a rootfs/)
    expect(existsSync(here.at('copy'))).toBe(false)
  })
})

test('push obeys the policy', async () => {
  await using registry = await startRegistry()
  writeFiles(here.at('layout'), layoutFiles({ one: image }))
  writeFileSync(here.at('policy.json'), JSON.stringify({ default: [{ type: 'reject' }] }))
  const args = ['push', '--quiet', '--from', 'oci:layout:one', `${registry.host}/app:1`]
  expect(await run(...args, '--policy', 'policy.json')).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^error: policy\.json rejects oci:layout:one/),
  })
  expect(registry.requests).toEqual([])
  expect(await run(...args)).toMatchObject({ status: 0 })
})

describe('rmi --remote', () => {
  test('deletes a tag alone, or a manifest with all its tags', async () => {
    await using registry = await startRegistry()
    serve(registry, image)
    for (const tag of ['2', '3']) registry.addManifest('app', tag, image.manifest.toString())
    const name = `${registry.host}/app`
    expect(await run('rmi', '--remote', `${name}:1`)).toEqual({ status: 0, stdout: `${name}:1\n`, stderr: '' })
    expect((await run('list-tags', name)).stdout).toBe('2\n3\n')
    const digest = sha256(image.manifest)
    const removed = await run('rmi', '--json', '--remote', `docker://${name}@${digest}`)
    expect(JSON.parse(removed.stdout)).toEqual({ removed: [`${name}@${digest}`], bytes: 0 })
    expect(await run('inspect', `${name}:2`)).toMatchObject({ status: 1 })
    const deletions = registry.requests.filter(({ method }) => method === 'DELETE').map(({ path }) => path)
    expect(deletions).toEqual(['/v2/app/manifests/1', `/v2/app/manifests/${digest}`])
    expect(existsSync(here.at('store'))).toBe(false)
  })

  test('asks for the right to delete', async () => {
    const scopes: (string | null)[] = []
    await using registry = await startRegistry(({ url = '', headers }, response) => {
      if (url.startsWith('/token')) {
        scopes.push(new URL(url, 'http://x').searchParams.get('scope'))
        response.end('{"token":"granted"}')
        return true
      }
      if (headers.authorization === 'Bearer granted') return undefined
      const challenge = `Bearer realm="http://${headers.host}/token"`
      return sendError(response, 401, 'UNAUTHORIZED', { 'www-authenticate': challenge })
    })
    serve(registry, image)
    expect(await run('rmi', '--remote', `${registry.host}/app:1`)).toMatchObject({ status: 0 })
    expect(scopes).toContain('repository:app:pull,push,delete')
  })

  test.each([405, 400])('says what to do where only digests can be deleted (%i)', async (status) => {
    await using registry = await startRegistry(({ method }, response) =>
      method === 'DELETE' ? sendError(response, status, 'UNSUPPORTED') : undefined,
    )
    serve(registry, image)
    const { status: exit, stderr } = await run('rmi', '--remote', `${registry.host}/app:1`)
    expect(exit).toBe(1)
    expect(stderr).toMatch(/^error: \S+ does not delete this: DELETE \S+: 40[05] UNSUPPORTED/)
    expect(stderr).toMatch(/hint: name the digest, which deletes all tags of it: "bundle-tool digest" prints it\n$/)
  })

  test.each(['app', 'docker.io/library/app'])('does not take "%s" for a tag that nobody named', async (name) => {
    expect(await run('rmi', '--remote', name)).toEqual({
      status: 2,
      stdout: '',
      stderr: `error: "${name}" does not say what to delete\n  hint: name it with its tag or digest\n`,
    })
  })
})
