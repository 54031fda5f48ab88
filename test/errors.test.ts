import { statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isSystemError, OciError } from '../src/errors.ts'

function failure(): unknown {
  try {
    return statSync('/nonexistent')
  } catch (error) {
    return error
  }
}

test('a system error is told by its code, or as such when no code is asked for', () => {
  expect(isSystemError(failure(), 'EACCES', 'ENOENT')).toBe(true)
  expect(isSystemError(failure(), 'EACCES')).toBe(false)
  expect(isSystemError(failure())).toBe(true)
  expect(isSystemError(new OciError('ERR_USAGE', 'no'))).toBe(false)
  expect(isSystemError(undefined)).toBe(false)
})
