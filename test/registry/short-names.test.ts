import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { formatReference } from '../../src/oci/reference.ts'
import { resolveReference } from '../../src/registry/short-names.ts'

const directory = mkdtempSync(join(tmpdir(), 'short-names-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** Resolves a name with these files as /etc/containers/registries.conf and its drop-ins. */
async function resolve(name: string, ...files: string[]): Promise<string> {
  const system = mkdtempSync(join(directory, 'system-'))
  mkdirSync(join(system, 'registries.conf.d'))
  files.forEach((text, index) => {
    writeFileSync(join(system, index === 0 ? 'registries.conf' : `registries.conf.d/${index}.conf`), text)
  })
  return formatReference(await resolveReference(name, { HOME: directory }, system))
}

test('a short name is one of Docker Hub unless something else is configured', async () => {
  expect(await resolve('ubuntu')).toBe('docker.io/library/ubuntu:latest')
  expect(await resolve('team/app:1')).toBe('docker.io/team/app:1')
})

test('the alias of the last file counts, and an empty one removes it', async () => {
  const first = '[aliases]\ncentos = "quay.io/centos/centos"\nfedora = "one.example/fedora"'
  const second = '[aliases]\nfedora = "two.example/fedora"\ncentos = ""'
  expect(await resolve('centos:9', first)).toBe('quay.io/centos/centos:9')
  expect(await resolve('fedora', first, second)).toBe('two.example/fedora:latest')
  expect(await resolve('centos', first, second)).toBe('docker.io/library/centos:latest')
  expect(await resolve('x.example/centos', first)).toBe('x.example/centos:latest')
})

test('one search registry gets all other short names, several are ambiguous', async () => {
  const one = 'unqualified-search-registries = ["one.example:5000"]'
  expect(await resolve('app:2', one)).toBe('one.example:5000/app:2')
  expect(await resolve('localhost/app', one)).toBe('localhost/app:latest')
  const two = 'unqualified-search-registries = ["one.example", "two.example"]'
  await expect(resolve('app', two)).rejects.toMatchObject({
    code: 'ERR_REFERENCE_INVALID',
    hint: 'write the full name, one of: one.example/app, two.example/app',
  })
})
