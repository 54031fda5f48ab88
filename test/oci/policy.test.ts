import { expect, test } from 'vitest'
import { parsePolicy } from '../../src/oci/policy.ts'

const key = { type: 'sigstoreSigned', keyPath: '/key.pub' }

test.each([
  ['{', 'is not JSON'],
  ['{}', '/default: is missing'],
  ['{"default":[]}', '/default: must have a requirement'],
  ['{"default":[{"type":"reject"}],"transport":{}}', 'has the unknown member "transport"'],
  ['{"default":[{}]}', '/default/0/type: is missing'],
  ['{"default":[{"type":"reject","but":1}]}', 'has the unknown member "but"'],
  [
    '{"default":[{"type":"reject"}],"transports":{"docker":{"x.example":[]}}}',
    '/transports/docker/x.example: must have',
  ],
])('the policy %s is an error, not a permission', (text, message) => {
  expect(() => parsePolicy(text, 'p')).toThrow(message)
})

test.each<[object, string]>([
  [{ type: 'sigstoreSigned' }, 'must have one of "keyPath", "keyPaths", "keyData" and "keyDatas"'],
  [{ ...key, keyData: 'eA==' }, 'must have one of "keyPath"'],
  [{ ...key, keyPath: undefined, keyData: '-----BEGIN' }, '/keyData: must be Base64'],
  [{ ...key, keyPath: undefined, keyPaths: [] }, '/keyPaths: must not be empty'],
  [{ ...key, signedIdentitty: {} }, 'has the unknown member "signedIdentitty"'],
  [{ ...key, signedIdentity: { type: 'matchAll' } }, '/signedIdentity/type'],
  [{ ...key, signedIdentity: { type: 'exactReference' } }, '/signedIdentity/dockerReference: is missing'],
  [{ ...key, signedIdentity: { type: 'matchExact', prefix: 'x' } }, 'has the unknown member "prefix"'],
])('the requirement %j is an error', (requirement, message) => {
  expect(() => parsePolicy(JSON.stringify({ default: [requirement] }), 'p')).toThrow(message)
})

test('keys are in files or in the policy, one or several; the default identity is matchRepoDigestOrExact', () => {
  const pem = '-----BEGIN PUBLIC KEY-----'
  const data = btoa(pem)
  const read = (requirement: object) => parsePolicy(JSON.stringify({ default: [requirement] }), 'p').fallback[0]
  const signedIdentity = { type: 'matchRepoDigestOrExact' }
  const type = 'sigstoreSigned'
  expect(read(key)).toEqual({ type, keys: [{ path: '/key.pub' }], signedIdentity })
  expect(read({ type, keyPaths: ['/a', '/b'] })).toMatchObject({ keys: [{ path: '/a' }, { path: '/b' }] })
  expect(read({ type, keyData: data })).toMatchObject({ keys: [{ pem }] })
  expect(read({ type, keyDatas: [data, data] })).toMatchObject({ keys: [{ pem }, { pem }] })
  expect(read({ ...key, signedIdentity: { type: 'matchRepository' } })).toMatchObject({
    signedIdentity: { type: 'matchRepository' },
  })
})
