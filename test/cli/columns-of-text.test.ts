import { expect, test } from 'vitest'
import { formatColumns } from '../../src/cli/columns.ts'
import { beginningWithin, columnsOf, endWithin } from '../../src/cli/columns-of-text.ts'

test.each([
  ['', 0],
  ['abc', 3],
  ['é', 1],
  ['e\u0301', 1],
  ['日本', 4],
  ['ｆ', 2],
  ['한', 2],
  ['😀', 2],
  ['❤\ufe0f', 2],
  ['𠀀', 2],
])('%j takes %i columns', (text, columns) => {
  expect(columnsOf(text)).toBe(columns)
})

test('a text is cut between characters, and a wide one is not halved', () => {
  expect(beginningWithin('a日本', 4)).toBe('a日')
  expect(endWithin('日本a', 4)).toBe('本a')
  expect(endWithin('😀b', 2)).toBe('b')
  expect(endWithin('e\u0301b', 1)).toBe('b')
  expect(beginningWithin('e\u0301b', 1)).toBe('e\u0301')
  expect([beginningWithin('日', 0), endWithin('日', 1)]).toEqual(['', ''])
})

test('a table is aligned by columns', () => {
  expect(
    formatColumns(
      ['A', 'B'],
      [
        ['日本', 'x'],
        ['abc', 'y'],
      ],
    ),
  ).toBe('A     B\n日本  x\nabc   y\n')
})
