import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test as plainTest } from 'vitest'
import { differences } from '../../src/cli/json/shape.ts'
import { errorShape, jsonShapes } from '../../src/cli/json/shapes.ts'
import { ContainerPlace } from '../container.ts'
import { type FakeRegistry, startRegistry } from '../registry/fake-registry.ts'
import { requires } from '../requirements.ts'
import { makeImage, makeLayer } from '../source/build-image.ts'
import { type Finished, forms, ImageCommands, serve } from './image-command.ts'

/**
 * Every command that prints data, as it is shipped, prints documents of the shape that docs/json.md has.
 */
const { test } = requires('root', 'busybox', 'ps')

/** The commands that the tests below call. */
const imageCommands = ['pull', 'unpack', 'inspect', 'list-tags', 'copy', 'push', 'images', 'rmi', 'prune', 'verify']
const otherCommands = ['diff', 'digest', 'list-referrers', 'tag', 'login', 'logout', 'repack', 'version', 'features']
const hostCommands = ['doctor', 'engine']
const containerCommands = ['config', 'explain', 'state', 'list', 'ps', 'stats', 'events', 'stop', 'wait']

plainTest('there is no other command that has a shape', () => {
  expect([...imageCommands, ...otherCommands, ...hostCommands, ...containerCommands].sort()).toEqual(
    Object.keys(jsonShapes).sort(),
  )
})

function expectDocument(name: string, stdout: string): unknown {
  expect(stdout, name).toMatch(/\n$/)
  const document: unknown = JSON.parse(stdout)
  const shape = jsonShapes[name]?.shape
  expect(shape === undefined ? ['no shape'] : differences(document, shape), name).toEqual([])
  return document
}

describe.each(Object.entries(forms))('%s', (_, form) => {
  let home: ImageCommands
  let registry: FakeRegistry
  beforeEach(async () => {
    home = new ImageCommands()
    registry = await startRegistry()
    serve(registry, makeImage([await makeLayer({ a: 'x' })]))
  })
  afterEach(async () => {
    home[Symbol.dispose]()
    await registry[Symbol.asyncDispose]()
  })

  /** Runs a command that is to print one document of its shape, and nothing else. */
  async function document(name: string, ...args: readonly string[]): Promise<unknown> {
    const { status, stdout, stderr }: Finished = await home.run(form, [name, ...args])
    expect({ status, stderr }, name).toEqual({ status: 0, stderr: '' })
    return expectDocument(name, stdout)
  }

  plainTest('commands for images print documents of their shape', async () => {
    const image = `${registry.host}/app:1`
    const remote = [image, '--insecure']
    const store = ['--store', home.at('store')]
    const pulled = await document('pull', '--format', 'json', ...remote, ...store, '--out', 'bundle')
    expect(pulled).toMatchObject({ reference: image, bundle: home.at('bundle') })
    const { digest } = pulled as { digest: string }
    expect(await document('inspect', '--json', ...remote)).toMatchObject({ name: image, digest })
    expect(await document('digest', '--json', ...remote)).toMatchObject({ name: image, digest })
    expect(await document('list-referrers', '--json', ...remote)).toEqual({ subject: digest, referrers: [] })
    await document('list-tags', '--json', `${registry.host}/app`, '--insecure')
    const copied = await document('copy', '--json', ...remote, 'oci:layout:one')
    expect(copied).toEqual({ target: expect.stringContaining('layout:one'), digest })
    const pushed = await document('push', '--json', '--from', 'oci:layout:one', `${registry.host}/new:1`, '--insecure')
    expect(pushed).toEqual({ target: `${registry.host}/new:1`, digest })
    const unpacked = await document('unpack', '--json', 'oci:layout:one', '--out', 'other')
    expect(unpacked).toMatchObject({ digest, bundle: home.at('other') })
    expect(await document('images', '--format=json', ...store)).toMatchObject([{ name: image, digest }])
    expect(await document('tag', '--json', image, 'again', ...store)).toMatchObject({ digest })
    expect(await document('diff', '--json', 'bundle', ...store)).toEqual([])
    await document('repack', '--json', 'bundle', '--image', 'oci:layout:two', ...store)
    await document('verify', '--json', ...store)
    await document('rmi', '--json', image, ...store)
    expect(await document('rmi', '--json', 'again', ...store)).toMatchObject({
      removed: expect.arrayContaining([digest]),
    })
    expect(await document('prune', '--json', ...store)).toEqual({ removed: [], bytes: 0 })
    const login = ['-u', 'me', '-p', 'secret', '--insecure', '--authfile', home.at('auth.json')]
    expect(await document('login', '--json', registry.host, ...login)).toMatchObject({ keptIn: home.at('auth.json') })
    await document('logout', '--json', registry.host, '--authfile', home.at('auth.json'))
  })

  plainTest('so do those about the tool', async () => {
    await document('version', '--json')
    await document('doctor', '--json')
    await document('features', '--json')
    await document('features', '--format', 'json')
    await document('engine', 'docker', '--file', '/no/such/file', '--json')
  })

  plainTest.each([
    [2, ['pull', '--json', 'alpine'], 'ERR_USAGE'],
    [2, ['pull', '--bogus', '--json', 'alpine'], 'ERR_USAGE'],
    [2, ['images', 'one', '--format', 'json'], 'ERR_USAGE'],
    [2, ['images', '--format', 'xml', '--json'], 'ERR_USAGE'],
    [1, ['unpack', '--json', 'none.tar', '--out', 'bundle'], undefined],
    [1, ['rmi', '--json', 'alpine', '--store', 'store'], 'ERR_IMAGE_NOT_FOUND'],
    [1, ['state', '--json', 'none'], 'ERR_CONTAINER_NOT_FOUND'],
    [1, ['ps', '-f', 'json', 'none'], 'ERR_CONTAINER_NOT_FOUND'],
    [1, ['list', '--json'], 'ERR_USAGE'],
    [1, ['wait', 'none', '--json'], 'ERR_CONTAINER_NOT_FOUND'],
    [3, ['pul', '--json'], 'ERR_USAGE'],
    [1, ['--log', '/nonexistent/log', 'list', '--json'], 'ERR_FILE_SYSTEM'],
  ])('exit code %i of %j comes with one JSON object on standard error', async (status, args, code) => {
    const finished = await home.run(form, args)
    expect(finished).toMatchObject({ status, stdout: '' })
    expect(finished.stderr).toMatch(/^[^\n]*\n$/)
    const document = JSON.parse(finished.stderr)
    expect(differences(document, errorShape)).toEqual([])
    if (code !== undefined) expect(document.error.code).toBe(code)
  })

  plainTest('an error is in a log as its line, and on standard error as an object', async () => {
    const { stderr } = await home.run(form, ['--log', home.at('log'), 'state', '--json', 'none'])
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'ERR_CONTAINER_NOT_FOUND' } })
    expect(readFileSync(home.at('log'), 'utf8')).toMatch(/^time="[^"]+" level=error msg="container does not exist/)
  })

  plainTest.each([
    [['exec', 'none', 'sh', '--json']],
    [['state', 'none']],
    [['--log-format', 'json', 'list', '--json']],
  ])('without the flag of a command for data, or with a log, %j fails as runc does', async (args) => {
    const { stderr } = await home.run(form, args)
    expect(stderr).toMatch(/^(time="[^"]+" level=error msg=|\{"level":"error","msg":)/)
  })
})

describe('commands for containers print documents of their shape', () => {
  let place: ContainerPlace
  beforeEach(() => {
    place = new ContainerPlace()
  })
  afterEach(() => place.close())

  test('that runs', () => {
    place.configure('trap "exit 0" TERM; while :; do sleep 0.05; done')
    expect(place.tool(['run', '--detach', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
    const calls: readonly (readonly [string, readonly string[]])[] = [
      ['explain', ['--json', place.bundle]],
      ['state', [place.id]],
      ['state', ['--json', place.id]],
      ['state', [place.id, '--format', 'json']],
      ['list', ['-f', 'json']],
      ['list', ['--json']],
      ['ps', ['--format', 'json', place.id]],
      ['ps', ['--json', place.id]],
      ['stats', ['--json', '--no-stream', '--interval', '10ms', place.id]],
      ['events', ['--stats', place.id]],
      ['events', ['--stats', '--json', place.id]],
      ['stop', ['--json', place.id]],
    ]
    for (const [name, args] of calls) {
      const { end, stdout, stderr } = place.tool([name, ...args])
      expect({ end, stderr }, [name, ...args].join(' ')).toEqual({ end: 0, stderr: '' })
      expectDocument(name, stdout)
    }
    expect(place.tool(['list', '--json', '--format', 'table']).stdout).toMatch(/^ID /)
  })

  test('that has ended: wait has its status, or an error with a code', () => {
    place.configure('exit 7')
    expect(place.tool(['run', '--detach', '-b', place.bundle, place.id])).toMatchObject({ end: 0 })
    const { stdout, stderr } = place.tool(['wait', '--json', place.id])
    if (stdout !== '') expect(expectDocument('wait', stdout)).toEqual({ id: place.id, status: 7 })
    else expect(JSON.parse(stderr).error.code).toBe('ERR_EXIT_STATUS_UNKNOWN')
  })

  test('a warning is an object on a line as well, and a line of the log where there is one', () => {
    mkdirSync(join(place.root, 'broken'), { recursive: true })
    writeFileSync(join(place.root, 'broken/state.json'), '{')
    const { end, stdout, stderr } = place.tool(['list', '--json'])
    expect({ end, stdout }).toEqual({ end: 0, stdout: 'null\n' })
    expect(JSON.parse(stderr)).toEqual({ warning: { message: expect.stringContaining('container "broken": ') } })
    expect(place.tool(['--log', 'log', 'list', '--json'])).toEqual({ end: 0, stdout: 'null\n', stderr: '' })
    expect(readFileSync(join(place.directory, 'log'), 'utf8')).toContain('level=warning')
  })
})
