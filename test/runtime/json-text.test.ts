import { expect, test } from 'vitest'
import { deferredNumber, deferredString, jsonText } from '../../src/runtime/json-text.ts'

test('constants are joined around the registers', () => {
  const value = { a: [1, 'x"', true, 2n ** 64n - 1n], b: undefined, c: deferredNumber('pid'), d: {}, e: '' }
  expect(jsonText(value)).toEqual([
    '{"a":[1,"x\\"",true,18446744073709551615],"c":',
    { register: 'pid' },
    ',"d":{},"e":""}',
  ])
})

test('the constant part of a string with registers is escaped', () => {
  expect(jsonText([deferredString(['/a"b/', { register: 'id' }, '\n'])])).toEqual([
    '["/a\\"b/',
    { register: 'id' },
    '\\n"]',
  ])
})
