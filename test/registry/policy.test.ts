import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { parsePolicy } from '../../src/oci/policy.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { checkPolicy, fileOrigin, readPolicy, registryOrigin } from '../../src/registry/policy.ts'
import { library } from '../library.ts'
import { makeTar } from '../source/build-image.ts'

const { unpack } = library

const directory = mkdtempSync(join(tmpdir(), 'policy-'))
afterAll(() => rmSync(directory, { recursive: true }))

const accept = [{ type: 'insecureAcceptAnything' }]
const reject = [{ type: 'reject' }]
const signed = [{ type: 'sigstoreSigned', keyPath: '/etc/key.pub' }]

const check = (policy: unknown, name: string) =>
  checkPolicy(parsePolicy(JSON.stringify(policy), 'p'), registryOrigin(parseReference(name)), name)

function isAllowed(policy: unknown, name: string): boolean {
  try {
    return check(policy, name).length === 0
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_POLICY' })
    return false
  }
}

test('the most specific scope counts: name, repository, paths, host, wildcard, transport, default', () => {
  const docker = {
    'example.com/team/app:1': accept,
    'example.com/team/app': reject,
    'example.com/team': accept,
    'example.com': reject,
    '*.internal.example': accept,
  }
  const policy = { default: reject, transports: { docker } }
  expect(isAllowed(policy, 'example.com/team/app:1')).toBe(true)
  expect(isAllowed(policy, 'example.com/team/app:2')).toBe(false)
  expect(isAllowed(policy, 'example.com/team/other:1')).toBe(true)
  expect(isAllowed(policy, 'example.com/teammate/x:1')).toBe(false)
  expect(isAllowed(policy, 'a.internal.example/x:1')).toBe(true)
  expect(isAllowed(policy, 'internal.example/x:1')).toBe(false)
  expect(isAllowed(policy, 'docker.io/library/x:1')).toBe(false)
  expect(isAllowed({ default: reject, transports: { docker: { '': accept } } }, 'docker.io/library/x:1')).toBe(true)
  expect(isAllowed({ default: accept, transports: { oci: { '': reject } } }, 'docker.io/library/x:1')).toBe(true)
})

test('a requirement that cannot be checked is refused, also beside one that accepts', () => {
  expect(isAllowed({ default: [...accept, { type: 'signedBy' }] }, 'x.example/y:1')).toBe(false)
  for (const member of ['fulcio', 'pki', 'rekorPublicKeyData']) {
    const policy = { default: [{ ...signed[0], [member]: {} }] }
    expect(() => check(policy, 'x.example/y:1')).toThrow(
      `p asks for "sigstoreSigned" with "${member}" of x.example/y:1, by its "default": it cannot be checked`,
    )
  }
})

test('a required signature is checked later for an image of a registry, and refused for any other', () => {
  expect(check({ default: [...signed, ...signed] }, 'x.example/y:1')).toHaveLength(2)
  const policy = parsePolicy(JSON.stringify({ default: signed }), 'p')
  expect(() => checkPolicy(policy, fileOrigin('oci', '/a', undefined), 'oci:/a')).toThrow(
    'p asks for a signature of oci:/a, by its "default": it can have none',
  )
})

test('the scope of an image with a digest is that of the digest, whatever its tag', () => {
  const digest = `sha256:${'a'.repeat(64)}`
  const docker = { [`x.example/y@${digest}`]: accept, 'x.example/y:1': reject }
  const policy = { default: reject, transports: { docker } }
  expect(isAllowed(policy, `x.example/y@${digest}`)).toBe(true)
  expect(isAllowed(policy, `x.example/y:1@${digest}`)).toBe(true)
})

test('the port of a registry is not part of its domain', () => {
  const docker = { '*.internal.example': accept, 'x.internal.example': reject }
  const policy = { default: reject, transports: { docker } }
  expect(isAllowed(policy, 'a.internal.example:5000/x:1')).toBe(true)
  expect(isAllowed(policy, 'x.internal.example:5000/x:1')).toBe(true)
})

test("the user's file comes before the system's, and without any everything is accepted", async () => {
  const system = join(directory, 'system.json')
  expect(await readPolicy({ HOME: directory }, { system })).toBeUndefined()
  writeFileSync(system, JSON.stringify({ default: reject }))
  expect((await readPolicy({ HOME: directory }, { system }))?.path).toBe(system)
  await expect(readPolicy({}, { file: join(directory, 'missing.json') })).rejects.toMatchObject({
    code: 'ERR_CONFIG_INVALID',
  })
})

test('the scopes of files are their path and the directories above, checked before anything is unpacked', async () => {
  expect(fileOrigin('oci', '/a/b', 'tag').scopes).toEqual(['/a/b:tag', '/a/b', '/a'])
  const policy = join(directory, 'policy.json')
  writeFileSync(policy, JSON.stringify({ default: accept, transports: { 'docker-archive': { [directory]: reject } } }))
  const archive = join(directory, 'a.tar')
  writeFileSync(archive, await makeTar({ 'manifest.json': '[]' }))
  for (const source of [`docker-archive:${archive}`, archive]) {
    await expect(unpack(source, { out: join(directory, 'bundle'), policy })).rejects.toMatchObject({
      code: 'ERR_POLICY',
      message: `${policy} rejects ${source}, by "docker-archive" "${directory}"`,
    })
  }
})
