import { expect, test } from 'vitest'
import { parseWhiteout } from '../../src/layer/whiteout.ts'

test.each([
  ['etc/.wh.passwd', { kind: 'remove', dir: ['etc'], name: 'passwd' }],
  ['.wh.a', { kind: 'remove', dir: [], name: 'a' }],
  ['./a/../b/.wh.c/', { kind: 'remove', dir: ['b'], name: 'c' }],
  ['a/.wh..hidden', { kind: 'remove', dir: ['a'], name: '.hidden' }],
  ['a/.wh....', { kind: 'remove', dir: ['a'], name: '...' }],
  ['a/b/.wh..wh..opq', { kind: 'opaque', dir: ['a', 'b'] }],
  ['.wh..wh..opq', { kind: 'opaque', dir: [] }],
  ['.wh..wh.aufs', { kind: 'metadata' }],
  ['.wh..wh.plnk/', { kind: 'metadata' }],
])('%s is a whiteout', (path, whiteout) => {
  expect(parseWhiteout(path)).toEqual(whiteout)
})

test.each(['etc/passwd', 'etc/x.wh.y', '.wh.etc/passwd', 'etc/.who', '.wh..wh.plnk/1.2', '', '/', '..'])(
  '%s is an ordinary name',
  (path) => {
    expect(parseWhiteout(path)).toBeUndefined()
  },
)

test.each(['.wh.', 'd/.wh.', 'd/.wh..', 'd/.wh...', 'd/.wh./'])(
  '%s is refused: it would remove more than a name',
  (path) => {
    expect(() => parseWhiteout(path)).toThrow(expect.objectContaining({ code: 'ERR_LAYER_INVALID' }))
  },
)

test('a name of a million slashes is parsed at once', () => {
  const start = performance.now()
  parseWhiteout(`.wh.a${'/'.repeat(1_000_000)}x`)
  expect(performance.now() - start).toBeLessThan(2000)
})
