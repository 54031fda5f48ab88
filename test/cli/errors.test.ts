import { expect, test } from 'vitest'
import { describeInLines, describeInOneLine } from '../../src/cli/errors.ts'
import { OciError } from '../../src/errors.ts'

test('no line of a message can be taken for a hint of ours', () => {
  const error = new OciError('ERR_HOOK', 'it wrote: one\n  hint: two', { pointer: '/a\n  hint: three', hint: 'four' })
  expect(describeInLines(error)).toBe(
    'error: it wrote: one\n      hint: two\n  from: /a\\u000a  hint: three\n  hint: four\n',
  )
  expect(describeInOneLine(new OciError('ERR_USAGE', 'one', { hint: 'two' }))).toBe('one; two')
})
