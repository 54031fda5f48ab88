import { mkdirSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sendError, startRegistry } from '../registry/fake-registry.ts'
import { layoutFiles, makeImage, makeLayer, writeFiles } from '../source/build-image.ts'
import { forms, ImageCommands, serve } from './image-command.ts'

let commands: ImageCommands
beforeEach(() => {
  commands = new ImageCommands()
})
afterEach(() => commands[Symbol.dispose]())

const redirects = [301, 302, 303, 307, 308]
const form = forms['bin/bundle-tool.js'] ?? []

test.each(redirects)('an identity token goes to its token server alone, whatever %i says', async (status) => {
  await using other = await startRegistry((_, response) => {
    response.end(JSON.stringify({ token: 'from-elsewhere' }))
    return true
  })
  for (const place of ['another host', 'the same host']) {
    await using registry = await startRegistry((request, response) => {
      const location = `${place === 'another host' ? `http://${other.host}` : ''}/taken`
      if (request.url?.startsWith('/token')) {
        response.writeHead(status, { location }).end()
        return true
      }
      const challenge = { 'www-authenticate': `Bearer realm="http://${registry.host}/token",service="s"` }
      return request.url === '/v2/' ? undefined : sendError(response, 401, 'UNAUTHORIZED', challenge)
    })
    mkdirSync(commands.at('.docker'), { recursive: true })
    const auths = { [registry.host]: { identitytoken: 's3cret-token' } }
    writeFileSync(commands.at('.docker/config.json'), JSON.stringify({ auths }))
    const inspected = await commands.run(form, ['inspect', `${registry.host}/app:1`])
    expect(inspected).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(new RegExp(`/token redirects a secret .* \\(${status}\\); refused$`, 'm')),
    })
    expect(inspected.stderr).not.toContain('s3cret')
    expect(registry.requests.map(({ method, path }) => `${method} ${path}`)).toContain('POST /token')
    expect(registry.requests.filter(({ path }) => path === '/taken')).toEqual([])
  }
  expect(other.requests).toEqual([])
})

/** The requests of a push that send something. */
const sent: Readonly<Record<string, RegExp>> = {
  'the beginning of an upload': /^POST .*\/uploads\/$/,
  'a blob': /^PUT .*\/uploads\/./,
  'a manifest': /^PUT .*\/manifests\//,
}

const cases = Object.keys(sent).flatMap((what) => redirects.map((status) => [what, status] as const))

test.each(cases)('%s is not sent to another host that %i names', async (what, status) => {
  await using other = await startRegistry()
  await using registry = await startRegistry((request, response) => {
    if (!sent[what]?.test(`${request.method} ${request.url}`)) return undefined
    request.resume()
    response.writeHead(status, { location: `http://${other.host}${request.url}` }).end()
    return true
  })
  writeFiles(commands.at('layout'), layoutFiles({ v1: makeImage([await makeLayer({ file: 'x' })]) }))
  const args = ['push', '--from', `oci:${commands.at('layout')}:v1`, `${registry.host}/app:1`]
  expect(await commands.run(form, args)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`redirects what is sent to it to http://${other.host}`),
  })
  expect(other.requests).toEqual([])
})

test.each(redirects)(
  'a manifest that is sent follows %i within its host, if that keeps what is sent',
  async (status) => {
    await using registry = await startRegistry((request, response) => {
      if (request.method !== 'PUT' || request.url !== '/v2/app/manifests/1') return undefined
      request.resume()
      response.writeHead(status, { location: '/v2/moved/app/manifests/1' }).end()
      return true
    })
    // The place it is moved to is another repository, which must have the blobs.
    const image = makeImage([await makeLayer({ file: 'x' })])
    serve(registry, image)
    writeFiles(commands.at('layout'), layoutFiles({ v1: image }))
    const args = ['push', '--from', `oci:${commands.at('layout')}:v1`, `${registry.host}/app:1`]
    const { status: end, stderr } = await commands.run(form, args)
    const followed = registry.requests.filter(({ path }) => path === '/v2/moved/app/manifests/1')
    expect({ end, methods: followed.map(({ method }) => method) }).toEqual(
      status < 307 ? { end: 1, methods: [] } : { end: 0, methods: ['PUT'] },
    )
    if (status < 307) expect(stderr).toContain(`(${status}); refused`)
  },
)

test('an upload is not made at an address of the private network that a host elsewhere names', async () => {
  await using registry = await startRegistry((request, response) => {
    if (request.method !== 'POST') return undefined
    response.writeHead(202, { location: 'http://169.254.169.254/latest' }).end()
    return true
  })
  writeFiles(commands.at('layout'), layoutFiles({ v1: makeImage([await makeLayer({ file: 'x' })]) }))
  writeFileSync(commands.at('conf'), '[[registry]]\nlocation = "registry.example:80"\ninsecure = true\n')
  // A proxy that answers itself is a host elsewhere.
  const args = ['push', '--from', `oci:${commands.at('layout')}:v1`, 'registry.example:80/app:1']
  const env = { CONTAINERS_REGISTRIES_CONF: commands.at('conf'), http_proxy: registry.host }
  const { status, stderr } = await commands.run(form, args, env)
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringMatching(/wants uploads at http:\/\/169\.254\.169\.254\/latest, an address of the private/),
  })
  expect(registry.requests.filter(({ path }) => path.includes('169.254'))).toEqual([])
})
