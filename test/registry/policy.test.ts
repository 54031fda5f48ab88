import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { checkPolicy, fileOrigin, parsePolicy, readPolicy, registryOrigin } from '../../src/registry/policy.ts'
import { unpack } from '../../src/unpack.ts'
import { makeTar } from '../source/build-image.ts'

const directory = mkdtempSync(join(tmpdir(), 'policy-'))
afterAll(() => rmSync(directory, { recursive: true }))

const accept = [{ type: 'insecureAcceptAnything' }]
const reject = [{ type: 'reject' }]
const signed = [{ type: 'sigstoreSigned', keyPath: '/etc/key.pub' }]

function isAllowed(policy: unknown, name: string): boolean {
  try {
    checkPolicy(parsePolicy(JSON.stringify(policy), 'p'), registryOrigin(name), name)
    return true
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

test('a signature that is asked for and cannot be checked is refused, also beside what is accepted', () => {
  expect(isAllowed({ default: signed }, 'x.example/y:1')).toBe(false)
  expect(isAllowed({ default: [...accept, { type: 'signedBy' }] }, 'x.example/y:1')).toBe(false)
})

test.each([
  ['{', 'it is not JSON'],
  ['{}', 'a list of requirements is missing or empty'],
  ['{"default":[]}', 'a list of requirements is missing or empty'],
  ['{"default":[{"type":"reject"}],"transport":{}}', '"transport" is unknown'],
  ['{"default":[{}]}', 'a requirement has no "type"'],
])('the policy %s is an error, not a permission', (text, message) => {
  expect(() => parsePolicy(text, 'p')).toThrow(message)
})

test("the user's file comes before the system's, and none accepts everything", async () => {
  const system = join(directory, 'system.json')
  expect(await readPolicy({ HOME: directory }, { system })).toBeUndefined()
  writeFileSync(system, JSON.stringify({ default: reject }))
  expect((await readPolicy({ HOME: directory }, { system }))?.path).toBe(system)
  await expect(readPolicy({}, { file: join(directory, 'missing.json') })).rejects.toMatchObject({
    code: 'ERR_CONFIG_INVALID',
  })
})

test('files are judged by their path and those above, before anything is unpacked', async () => {
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
