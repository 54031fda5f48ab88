import { expect, test } from 'vitest'
import { nextLink } from '../../src/registry/link.ts'

test.each([
  ['', undefined],
  ['</v2/a/tags/list?last=1>; rel="next"', '/v2/a/tags/list?last=1'],
  ['</next>; rel=next', '/next'],
  ['</next>; Rel="Next"', '/next'],
  ['</next>; title="a; rel=prev, <x>"; rel="next"', '/next'],
  ['</first>; rel="first", </next>; rel="prev next"', '/next'],
  ['</next>;rel="\\next"', '/next'],
  ['</no>; rel="prev"; rel="next"', undefined],
  ['</no>; rel="nextpage"', undefined],
  ['</no>; type="rel=next"', undefined],
])('the link to the next page in %j', (header, target) => {
  expect(nextLink(header)).toBe(target)
})

test.each(['next', '</next; rel="next"', '</next>; rel="next'])('a malformed header is an error: %j', (header) => {
  expect(() => nextLink(header)).toThrow('the list may be incomplete')
})
