import { expect, test } from 'vitest'
import { isContainerID, parseContainerID } from '../../src/runtime/container-id.ts'

test.each(['a', 'A-b_c+d.e', '...', '0', '-', 'x'.repeat(255)])('%s is a container ID', (text) => {
  expect(parseContainerID(text)).toBe(text)
})

test.each(['', '.', '..', 'a/b', '../a', 'a b', 'a,b', 'ä', 'a\n', 'a\0', 'x'.repeat(256)])('%j is none', (text) => {
  expect(isContainerID(text)).toBe(false)
  expect(() => parseContainerID(text)).toThrow(expect.objectContaining({ code: 'ERR_CONTAINER_ID_INVALID' }))
})
