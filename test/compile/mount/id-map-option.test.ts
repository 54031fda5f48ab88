import { expect, test } from 'vitest'
import { parseIDMap } from '../../../src/compile/mount/id-map-option.ts'

const range = (containerID: number, hostID: number, size: number) => ({ containerID, hostID, size })
// The example of crun.1.md.
const linux = { uidMappings: [range(0, 0, 1), range(1, 2, 1000)], gidMappings: [range(0, 100_000, 65_536)] }

test.each([
  ['uids=0-1-10#10-11-10;gids=0-100-10', [[range(0, 1, 10), range(10, 11, 10)], [range(0, 100, 10)]]],
  ['gids=5-6-7', [[], [range(5, 6, 7)]]],
  ['uids=@1-3-10;gids=@0-7-1#1-9-1', [[range(1, 4, 10)], [range(0, 100_007, 1), range(1, 9, 1)]]],
])('%s', (text, expected) => {
  expect(parseIDMap(text, linux, '/mounts/0/options')).toEqual(expected)
})

test.each([
  '',
  'uids=',
  'uids=1-2',
  'uids=1-2-3-4',
  'uids=a-b-c',
  'ids=1-2-3',
  'uids=0-0-4294967296',
  'uids=@0-5000-1',
  'uids=0-1-1;',
])('%j is refused', (text) => {
  const refused = expect.objectContaining({ code: 'ERR_CONFIG_INVALID', pointer: '/mounts/0/options' })
  expect(() => parseIDMap(text, linux, '/mounts/0/options')).toThrow(refused)
})
