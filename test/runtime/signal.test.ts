import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { parseSignal } from '../../src/runtime/signal.ts'

test('a signal is a number or a name in any case, with or without SIG', () => {
  for (const text of ['9', 'KILL', 'SIGKILL', 'kill', 'SigKill']) expect(parseSignal(text)).toBe(9)
  expect(parseSignal('0')).toBe(0)
  expect(parseSignal('64')).toBe(64)
})

test('every signal that kill(1) lists has the same number here', () => {
  const names = execFileSync('bash', ['-c', 'kill -l'], { encoding: 'utf8' }).matchAll(/(\d+)\) (SIG\S+)/g)
  const listed = [...names].map(([, number, name]) => [name ?? '', Number(number)] as const)
  expect(listed.length).toBeGreaterThan(60)
  expect(listed.map(([name]) => [name, parseSignal(name)])).toEqual(listed)
})

test.each(['', 'SIG', 'NOPE', '65', '-1', '1.5', 'toString', 'RTMIN-1', 'RTMAX+1'])('%j is no signal', (text) => {
  expect(() => parseSignal(text)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }))
})
