import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { parseReference } from '../../src/oci/reference.ts'
import { endpointsFor, parseRegistriesConf, readRegistriesConf } from '../../src/registry/registries-conf.ts'

const directory = mkdtempSync(join(tmpdir(), 'registries-conf-'))
afterAll(() => rmSync(directory, { recursive: true }))

async function endpoints(reference: string, toml: string): Promise<string[]> {
  const found = endpointsFor(parseReference(reference), await parseRegistriesConf(toml, 'registries.conf'))
  return found.map(
    ({ registry, repository, isInsecure }) => `${registry}/${repository}${isInsecure ? ' insecure' : ''}`,
  )
}

const mirrors = `
unqualified-search-registries = ["docker.io"]
[[registry]]
prefix = "docker.io"
[[registry.mirror]]
location = "localhost:5000"
insecure = true
[[registry.mirror]]
location = "mirror.example.com/hub/"
[[registry]]
prefix = "docker.io/bitnami"
location = "example.com:444/b"
[[registry]]
prefix = "*.corp.example"
insecure = true
`
const digest = `@sha256:${'0'.repeat(64)}`

test.each([
  [
    'ubuntu:18.04',
    ['localhost:5000/library/ubuntu insecure', 'mirror.example.com/hub/library/ubuntu', 'docker.io/library/ubuntu'],
  ],
  ['bitnami/redis', ['example.com:444/b/redis']],
  [
    'bitnamix/redis',
    ['localhost:5000/bitnamix/redis insecure', 'mirror.example.com/hub/bitnamix/redis', 'docker.io/bitnamix/redis'],
  ],
  ['a.corp.example/x/y', ['a.corp.example/x/y insecure']],
  ['corp.example/x/y', ['corp.example/x/y']],
  ['quay.io/x/y', ['quay.io/x/y']],
])('%s is looked for at %j', async (reference, expected) => {
  expect(await endpoints(reference, mirrors)).toEqual(expected)
})

test('a mirror may be for digests or for tags only', async () => {
  const toml = `
[[registry]]
location = "quay.io"
[[registry.mirror]]
location = "d.example"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "t.example"
pull-from-mirror = "tag-only"
`
  expect(await endpoints('quay.io/x', toml)).toEqual(['t.example/x', 'quay.io/x'])
  expect(await endpoints(`quay.io/x${digest}`, toml)).toEqual(['d.example/x', 'quay.io/x'])
})

test('a blocked registry is refused', async () => {
  await expect(endpoints('bad.example/x', '[[registry]]\nprefix="bad.example"\nblocked=true')).rejects.toMatchObject({
    code: 'ERR_REGISTRY',
    message: expect.stringContaining('blocks bad.example'),
  })
})

test.each([
  ['not TOML', '[[registry'],
  ['the first format', '[registries.search]\nregistries = []'],
  ['a table without a name', '[[registry]]\ninsecure = true'],
  ['a flag that is no flag', '[[registry]]\nprefix = "x.y"\ninsecure = "yes"'],
  [
    'an unknown mirror rule',
    '[[registry]]\nprefix = "x.y"\n[[registry.mirror]]\nlocation = "z"\npull-from-mirror = "never"',
  ],
])('%s is refused with the name of the file', async (_, toml) => {
  await expect(parseRegistriesConf(toml, '/x/registries.conf')).rejects.toMatchObject({
    code: 'ERR_CONFIG_INVALID',
    message: expect.stringContaining('/x/registries.conf'),
  })
})

test('the user file replaces the system file; drop-ins add to it, later ones win', async () => {
  const system = join(directory, 'etc')
  const home = join(directory, 'home')
  mkdirSync(join(system, 'registries.conf.d'), { recursive: true })
  mkdirSync(join(home, 'containers/registries.conf.d'), { recursive: true })
  const write = (path: string, prefix: string, location: string) =>
    writeFileSync(path, `[[registry]]\nprefix = "${prefix}"\nlocation = "${location}"\n`)
  write(join(system, 'registries.conf'), 'a.example', 'system')
  write(join(system, 'registries.conf.d/1.conf'), 'b.example', 'one')
  write(join(system, 'registries.conf.d/2.conf'), 'b.example', 'two')
  write(join(home, 'containers/registries.conf.d/3.conf'), 'c.example', 'three')
  const read = async (env: NodeJS.ProcessEnv) =>
    Object.fromEntries((await readRegistriesConf(env, system)).map(({ prefix, location }) => [prefix, location]))
  expect(await read({ XDG_CONFIG_HOME: home })).toEqual({
    'a.example': 'system',
    'b.example': 'two',
    'c.example': 'three',
  })
  write(join(home, 'containers/registries.conf'), 'd.example', 'user')
  expect(await read({ XDG_CONFIG_HOME: home })).toEqual({
    'd.example': 'user',
    'b.example': 'two',
    'c.example': 'three',
  })
  expect(await read({ CONTAINERS_REGISTRIES_CONF: join(system, 'registries.conf.d/1.conf') })).toEqual({
    'b.example': 'one',
  })
  expect(await read({ CONTAINERS_REGISTRIES_CONF: join(system, 'none') })).toEqual({})
})
