import { expect, test } from 'vitest'
import { formatReference, parseReference } from '../../src/oci/reference.ts'

const digest = `sha256:${'0'.repeat(64)}`

test.each([
  ['ubuntu', 'docker.io/library/ubuntu:latest'],
  ['ubuntu:18.04', 'docker.io/library/ubuntu:18.04'],
  ['docker.io/ubuntu', 'docker.io/library/ubuntu:latest'],
  ['index.docker.io/library/ubuntu', 'docker.io/library/ubuntu:latest'],
  ['bitnami/redis:7', 'docker.io/bitnami/redis:7'],
  ['localhost/x', 'localhost/x:latest'],
  ['localhost:5000/a/b/c:t', 'localhost:5000/a/b/c:t'],
  ['127.0.0.1:5000/x', '127.0.0.1:5000/x:latest'],
  ['[::1]:5000/x', '[::1]:5000/x:latest'],
  ['GHCR.io/Owner/x'.replace('Owner', 'owner'), 'ghcr.io/owner/x:latest'],
  [`alpine@${digest}`, `docker.io/library/alpine@${digest}`],
  [`alpine:3.14@${digest}`, `docker.io/library/alpine:3.14@${digest}`],
  ['a__b/c--d.e_f', 'docker.io/a__b/c--d.e_f:latest'],
])('%s is %s', (text, full) => {
  expect(formatReference(parseReference(text))).toBe(full)
  expect(formatReference(parseReference(full))).toBe(full)
})

test.each([
  '',
  ':tag',
  'Ubuntu',
  'ubuntu:',
  'ubuntu:-x',
  `ubuntu:${'x'.repeat(129)}`,
  'a//b',
  '/a',
  'a/',
  'a/../b',
  'localhost:port/x',
  'user:pw@host/x',
  'a___b',
  'a.-b',
  '0'.repeat(64),
  'x'.repeat(300),
  'host..name/x',
  'https://ghcr.io/x/y',
])('%j is refused', (text) => {
  expect(() => parseReference(text)).toThrow(
    expect.objectContaining({ code: expect.stringMatching(/^ERR_(REFERENCE|DIGEST)_INVALID$/) }),
  )
})
