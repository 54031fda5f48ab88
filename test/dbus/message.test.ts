import { expect, test } from 'vitest'
import { marshal } from '../../src/dbus/marshal.ts'
import { decodeMessage, encodeCall } from '../../src/dbus/message.ts'
import { type Value, variant } from '../../src/dbus/signature.ts'
import { Reader } from '../../src/dbus/unmarshal.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

// The bytes were worked out by hand from the specification, "Marshaling (Wire Format)".
test.each<[string, readonly Value[], string]>([
  ['y', [255], 'ff'],
  ['yu', [1, 2], '0100000002000000'],
  ['b', [true], '01000000'],
  ['i', [-2], 'feffffff'],
  ['t', [2n ** 64n - 1n], 'ffffffffffffffff'],
  ['yt', [1, 2n], '01000000000000000200000000000000'],
  ['s', ['foo'], '03000000666f6f00'],
  ['ss', ['a', 'é'], '01000000610000000' + '2000000c3a900'],
  ['g', ['a(sv)'], '0561287376290' + '0'],
  ['as', [['a']], '06000000010000006100'],
  ['as', [[]], '00000000'],
  ['at', [[5n]], '08000000000000000500000000000000'],
  ['ay', [[1, 2, 3]], '03000000010203'],
  ['v', [variant('u', 7)], '0175000007000000'],
  ['(ys)', [[1, 'b']], '01000000010000006200'],
  ['a(sv)', [[['k', variant('b', false)]]], '1000000000000000010000006b0001620000000000000000'],
])('%s: $2', (signature, values, expected) => {
  const bytes = marshal(signature, values)
  expect(hex(bytes)).toBe(expected)
  expect(new Reader(bytes, true).readAll(signature)).toEqual(values)
})

test('a method call has its destination and its arguments', () => {
  const bytes = encodeCall(
    { destination: 'a.b', path: '/p', interface: 'i.f', member: 'M', signature: 's', body: ['x'] },
    9,
  )
  expect(bytes.length % 8).toBe(6)
  expect(hex(bytes.subarray(0, 12))).toBe('6c01000106000000' + '09000000')
  const decoded = decodeMessage(Buffer.concat([bytes, Buffer.from('more')]))
  expect(decoded?.size).toBe(bytes.length)
  expect(decoded?.message).toMatchObject({ kind: 'call', interface: 'i.f', member: 'M', body: ['x'] })
})

test('an incomplete message is not decoded', () => {
  const bytes = encodeCall({ destination: 'a.b', path: '/p', interface: 'i.f', member: 'M' }, 1)
  for (let length = 0; length < bytes.length; length++) expect(decodeMessage(bytes.subarray(0, length))).toBeUndefined()
})

test('a message with any one byte changed is decoded or refused', () => {
  const body: readonly Value[] = ['x', [['k', variant('as', ['v'])]]]
  const call = { destination: 'a.b', path: '/p', interface: 'i.f', member: 'M', signature: 'sa(sv)', body }
  const bytes = encodeCall(call, 1)
  for (let at = 0; at < bytes.length; at++) {
    for (const value of [0, 1, 0x28, 0x29, 0x61, 0x7f, 0xff]) {
      const damaged = Uint8Array.from(bytes)
      damaged[at] = value
      try {
        decodeMessage(damaged)
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
      }
    }
  }
})

test.each([
  ['y', 'x'],
  ['s', 1],
  ['as', 'x'],
  ['v', 'x'],
  ['s', 'a\0b'],
])('%s is not %j', (signature, value) => {
  expect(() => marshal(signature, [value])).toThrow('does not have the D-Bus type')
})

test.each(['(', '()', 'a', 'z', '(s'])('"%s" is not a signature', (signature) => {
  expect(() => marshal(signature, [[]])).toThrow(RangeError)
})
