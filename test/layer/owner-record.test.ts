import { expect, test } from 'vitest'
import { formatOwnerRecord, parseOwnerRecord } from '../../src/layer/owner-record.ts'

// The bytes that umoci 0.4.7 writes for these owners.
test.each([
  [{ uid: 0, gid: 8 }, '08ffffffff0f1008'],
  [{ uid: 42, gid: 0 }, '082a10ffffffff0f'],
  [{ uid: 1000, gid: 100_000 }, '08e80710a08d06'],
  [{ uid: 4_294_967_294, gid: 127 }, '08feffffff0f107f'],
])('the record of %j is %s', (owner, hex) => {
  expect(Buffer.from(formatOwnerRecord(owner), 'latin1').toString('hex')).toBe(hex)
  expect(parseOwnerRecord(Buffer.from(hex, 'hex'))).toEqual(owner)
})

test('a field that is missing is 0, as in every protobuf message', () => {
  expect(parseOwnerRecord(Buffer.from('1008', 'hex'))).toEqual({ uid: 0, gid: 8 })
  expect(parseOwnerRecord(Buffer.alloc(0))).toEqual({ uid: 0, gid: 0 })
})

test.each(['08', '08ff', '0aff', '1801', '08ffffffffff01', 'ff'])('%s is no record', (hex) => {
  expect(parseOwnerRecord(Buffer.from(hex, 'hex'))).toBeUndefined()
})
